"""When a dead dimension of a saved run's model would come alive, and which dies next."""

from __future__ import annotations

import argparse

from svae_core.commands import print_json
from svae_core.commands._training import one_thread, saved_state
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

    one_thread()
    state = saved_state(request.saved)
    names = [settings.method for settings in state.settings]
    if request.method and request.method not in names:
        raise RequestError(f"--method is {request.method}, but the run has: {', '.join(names)}.")
    answers = []
    for index, name in enumerate(names):
        if request.method not in ("", name):
            continue
        if name == "vmf":
            raise RequestError("The forecast is of Gaussian posteriors; pick another --method.")
        member = loop.member(state, index)
        (model,), ((frame,), _) = loop.models(member), (loop.first_frames(member), None)
        found = loop.encode_points(member, 0)
        d = model.prepared.shell.points.shape[1]
        told = forecast(
            model.prepared.shell.points,
            found.mean,
            found.variance,
            model.member_method.effective_beta_sigma2(member.settings[0], frame.loss, d),
            member.settings[0].seed,
        )
        answers.append({"method": name, **to_json(told)})
    if request.json:
        print_json(answers[0] if len(answers) == 1 else {"forecasts": answers})
        return
    for answer in answers:
        print(f"{title_of(answer['method'])}: {answer['sentence']}")
