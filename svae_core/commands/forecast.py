"""When a saved run's next dimension comes alive, which dies next, and how many it needs."""

from __future__ import annotations

import argparse

from svae_core.commands import print_json
from svae_core.commands._training import add_saved, one_thread, place_of, saved_state
from svae_core.methods import title_of
from svae_core.records import RequestError, to_json


def add_options(command: argparse.ArgumentParser) -> None:
    """The run, and which of its models."""
    add_saved(command)
    command.add_argument(
        "--method", default="", help="method, of a run with several models (default: all)"
    )
    command.add_argument(
        "--try",
        dest="tries",
        action="store_true",
        help="train copies of the run a little further, each with another βσ², and see what is "
        "born and what dies: of nonlinear nets this alone is resolved (seconds to minutes)",
    )


def run(request: argparse.Namespace) -> None:
    """Print the forecast of every model that has one."""
    from svae_core.clinic.moved_copies import try_nearby
    from svae_core.training import loop

    one_thread()
    state = saved_state(request.saved)
    if request.method:
        state = loop.member(state, place_of(state, request.method))
    answers = []
    for index, told in enumerate(loop.forecasts(state)):
        if told is not None:
            answer = {"method": state.settings[index].method, **to_json(told)}
            if request.tries:
                answer["tried"] = to_json(try_nearby(loop.member(state, index)))
            answers.append(answer)
    if not answers:
        raise RequestError(
            "The forecast is of losses D/(2σ²) + β·KL with Gaussian posteriors; pick another "
            "--method, or train one such as baseline."
        )
    if request.json:
        print_json(answers[0] if len(answers) == 1 else {"forecasts": answers})
        return
    for answer in answers:
        tried = answer.get("tried", {}).get("sentence", "")
        said = f"{answer['sentence']} {answer['latents']} {tried}".rstrip()
        print(f"{title_of(answer['method'])}: {said}")
