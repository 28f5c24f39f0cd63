"""What a training loss's reductions imply on some data: βσ², its threshold, the weight meant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from svae_core.clinic.code_bases import CODE_BASES
from svae_core.clinic.training_loss import TrainingLoss
from svae_core.commands import add_settings, format_value, print_json, settings_of
from svae_core.config.fields import RequestError, flag, knobs
from svae_core.records import to_json


def add_options(command: argparse.ArgumentParser) -> None:
    """The parts of the loss, a code base whose defaults they start from, and the data."""
    command.add_argument(
        "--code-base",
        default="",
        metavar="NAME",
        help="start from the default loss of: " + ", ".join(base.name for base in CODE_BASES),
    )
    command.add_argument(
        "--code-bases", action="store_true", help="the gauge of every known code base's loss"
    )
    group = command.add_argument_group("loss")
    for name, about in knobs(TrainingLoss).items():
        group.add_argument(
            flag(name),
            metavar="|".join(about.choices) or name.upper(),
            help=f"{about.help} (default: {about.format(about.default)})",
        )
    add_settings(command)


def run(request: argparse.Namespace) -> None:
    """Print the diagnosis of one loss, or of all known ones."""
    from svae_core.clinic.unit_gauge import diagnose_losses
    from svae_core.datasets import load_dataset

    settings = settings_of(request)
    data = load_dataset(settings)

    def diagnoses(losses: Sequence[TrainingLoss]) -> list[dict[str, object]]:
        found = diagnose_losses(
            losses,
            data.points,
            settings.latent_dim,
            settings.batch_size,
            settings.beta,
            settings.sigma2,
        )
        return [{"loss": loss, **to_json(one)} for loss, one in zip(losses, found, strict=True)]

    common = {"dataset": data.name, "n": len(data.points), "coordinates": data.points.shape[1]}
    if request.code_bases:
        exact = [_stated(request, base.loss) for base in CODE_BASES if base.loss]
        found = iter(diagnoses(exact))
        rows = [
            {"name": base.name, "title": base.title, "source": base.source, "read": base.read}
            | {"remark": base.remark}
            | (next(found) if base.loss else {"gauge": None})
            for base in CODE_BASES
        ]
        if request.json:
            print_json(common | {"code_bases": rows})
            return
        for row in rows:
            print(f"{row['title']:38} {format_value(row['gauge'])}")
        return
    loss, base = _base(request.code_base)
    answer = common | diagnoses([_stated(request, loss)])[0] | base
    if request.json:
        print_json(answer)
        return
    for name, value in to_json(answer).items():
        print(f"{name:16} {format_value(value)}")


def _base(name: str) -> tuple[TrainingLoss, dict[str, object]]:
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


def _stated(request: argparse.Namespace, loss: TrainingLoss) -> TrainingLoss:
    """The loss with what the options say."""
    from dataclasses import replace

    given = {
        name: about.parse(value)
        for name, about in knobs(TrainingLoss).items()
        if (value := getattr(request, name)) is not None
    }
    return replace(loss, **given)
