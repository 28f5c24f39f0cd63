"""When a dead dimension of a saved run's model would come alive, and which dies next."""

from __future__ import annotations

import argparse

from svae_core.commands import print_json
from svae_core.commands._training import one_thread, place_of, saved_state
from svae_core.methods import title_of
from svae_core.records import RequestError, to_json


def add_options(command: argparse.ArgumentParser) -> None:
    """The run, and which of its models."""
    command.add_argument(
        "saved", metavar="RUN", help="folder or name of a saved run, or its beginning"
    )
    command.add_argument(
        "--method", default="", help="method, of a run with several models (default: all)"
    )


def run(request: argparse.Namespace) -> None:
    """Print the forecast of every model."""
    from svae_core.clinic.residual_spectrum import forecast
    from svae_core.training import loop
    from svae_core.training.evaluate import has_standard_posterior

    one_thread()
    state = saved_state(request.saved)
    if request.method:
        state = loop.member(state, place_of(state, request.method))
    answers = []
    for index, settings in enumerate(state.settings):
        member = loop.member(state, index)
        (model,), (frame,) = loop.models(member), loop.first_frames(member)
        if not has_standard_posterior(model):
            raise RequestError("The forecast is of Gaussian posteriors; pick another --method.")
        found = loop.encode_points(member, 0)
        points = model.prepared.shell.points
        told = forecast(
            points,
            found.mean,
            found.variance,
            model.member_method.effective_beta_sigma2(settings, frame.loss, points.shape[1]),
            settings.seed,
        )
        answers.append({"method": settings.method, **to_json(told)})
    if request.json:
        print_json(answers[0] if len(answers) == 1 else {"forecasts": answers})
        return
    for answer in answers:
        print(f"{title_of(answer['method'])}: {answer['sentence']}")
