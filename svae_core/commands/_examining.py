"""A model is examined by its arrays: a file that holds them by name, read as visitors' are."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from svae_core.commands import print_json
from svae_core.commands._loss import known_loss, stated_loss, states_loss
from svae_core.config.writable import check_file, write_file
from svae_core.records import RequestError, knobs, to_json

if TYPE_CHECKING:
    from svae_core.clinic.model_arrays import ModelArrays


def is_arrays(name: str) -> bool:
    """Whether this names a file of arrays and no saved run."""
    from svae_core.clinic.array_files import endings

    return name.lower().endswith(endings()) or Path(name).is_file()


def examine_file(request: argparse.Namespace) -> None:
    """Print what the arrays of a file say; write the page that is asked for."""
    from svae_core.clinic.array_files import arrays_of_file, kinds
    from svae_core.clinic.examination import examine
    from svae_core.clinic.report import numbers_of, report_page
    from svae_core.records import Settings

    path = Path(request.saved)
    if not path.is_file():
        raise RequestError(
            f"There is no file {path}; give a file of arrays ({kinds()}), or a saved run."
        )
    if request.page:
        check_file(request.page, f"--page {request.page}")
    seed = knobs(Settings)["seed"].parse(request.seed)
    clusters = knobs(Settings)["clusters"].parse(getattr(request, "clusters", "10"))
    arrays = arrays_of_file(path, path.name, seed)
    found = examine(_with_loss(request, arrays), clusters, seed)
    if request.page:
        write_file(request.page, report_page(found, path.name), f"--page {request.page}")
    if request.json:
        print_json(to_json(found))
        return
    print(found.sentence)
    for finding in found.findings:
        print(f"* {finding}")
    for name, value, note in numbers_of(found):
        print(f"{name:26} {value:14} {note}")
    print("What these arrays cannot say:")
    for sentence in found.unknown:
        print(f"* {sentence}")


def _with_loss(request: argparse.Namespace, arrays: ModelArrays) -> ModelArrays:
    """The arrays with the βσ² of the stated loss, if there is one."""
    from svae_core.clinic.examination import with_loss
    from svae_core.records import Settings

    if not states_loss(request):
        return arrays
    batch = knobs(Settings)["batch_size"].parse(request.batch_size)
    return with_loss(arrays, stated_loss(request, known_loss(request.code_base)[0]), batch)
