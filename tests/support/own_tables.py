"""Files of one's own for tests: a small one of everything, and how tests read and load them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from svae_core.datasets import load_dataset
from svae_core.own_data.read_by_format import read_table
from svae_core.own_data.tables import Table
from svae_core.records import Dataset, Settings

MIXED = "length;kind;fixed;colour\n0,5;a;7;red\nNA;b;7;blue\n1,5;c;7;red\n2,5;a;7;blue\n"


def given(folder: Path, content: str = MIXED) -> Path:
    """A file of that content."""
    path = folder / "some.csv"
    path.write_text(content)
    return path


def read_bytes(folder: Path, content: bytes | str, name: str = "some.csv") -> Table:
    """The table of a file of that content, read in this process."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return table_of(path)


def table_of(path: Path) -> Table:
    """The table of a file, read in this process."""
    return read_table(path, path.name, Path(tempfile.mkdtemp(dir=path.parent)))


def load(key: str) -> Dataset:
    """The dataset of what is kept under a key."""
    return load_dataset(Settings(dataset="file", dataset_options=(("key", key),)))


def is_one_sentence(message: str) -> bool:
    """Whether a refusal is what it is to be."""
    return message.endswith(".") and "\n" not in message and ". " not in message
