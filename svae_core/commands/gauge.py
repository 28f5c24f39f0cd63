"""What a training loss's reductions imply on some data: βσ², its threshold, the weight meant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from svae_core.clinic.code_bases import CODE_BASES
from svae_core.clinic.training_loss import TrainingLoss
from svae_core.commands import add_settings, print_answer, print_json, settings_of
from svae_core.commands._loss import add_loss, known_loss, stated_loss
from svae_core.records import to_json


def add_options(command: argparse.ArgumentParser) -> None:
    """The parts of the loss, a code base whose defaults they start from, and the data."""
    add_loss(command)
    command.add_argument(
        "--code-bases", action="store_true", help="the gauge of every known code base's loss"
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
        exact = [stated_loss(request, base.loss) for base in CODE_BASES if base.loss]
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
        for row, base in zip(rows, CODE_BASES, strict=True):
            gauge = "–" if row["gauge"] is None else f"{row['gauge']:.3g}"
            print(f"{base.title:38} {gauge:8} {base.note}".rstrip())
        return
    loss, known = known_loss(request.code_base)
    answer = common | diagnoses([stated_loss(request, loss)])[0] | known
    print_answer(request, answer)
