"""A training loss on the command line: options for its parts, and a code base they start from."""

from __future__ import annotations

import argparse
from dataclasses import replace

from svae_core.clinic.code_bases import CODE_BASES
from svae_core.clinic.training_loss import TrainingLoss
from svae_core.config.fields import RequestError, flag, knobs


def add_loss(command: argparse.ArgumentParser) -> None:
    """Add the options."""
    command.add_argument(
        "--code-base",
        default="",
        metavar="NAME",
        help="start from the default loss of: " + ", ".join(base.name for base in CODE_BASES),
    )
    group = command.add_argument_group("loss")
    for name, about in knobs(TrainingLoss).items():
        group.add_argument(
            flag(name),
            metavar="|".join(about.choices) or name.upper(),
            help=f"{about.help} (default: {about.format(about.default)})",
        )


def states_loss(request: argparse.Namespace) -> bool:
    """Whether a loss was stated at all."""
    parts = (getattr(request, name) is not None for name in knobs(TrainingLoss))
    return bool(request.code_base) or any(parts)


def known_loss(name: str) -> tuple[TrainingLoss, dict[str, object]]:
    """The loss that options start from, and what is known of its code base."""
    if not name:
        return TrainingLoss(), {}
    known = {base.name: base for base in CODE_BASES}
    if name not in known:
        raise RequestError(f"--code-base is {name!r}, but must be one of: {', '.join(known)}.")
    base = known[name]
    if base.loss is None:
        raise RequestError(f"{base.title} has no exact gauge: {base.remark}")
    return base.loss, {"source": base.source, "read": base.read, "remark": base.remark}


def stated_loss(request: argparse.Namespace, loss: TrainingLoss) -> TrainingLoss:
    """The loss with what the options say."""
    given = {
        name: about.parse(value)
        for name, about in knobs(TrainingLoss).items()
        if (value := getattr(request, name)) is not None
    }
    return replace(loss, **given)
