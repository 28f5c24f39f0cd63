"""Own data

A file of your own: a table (CSV, TSV, Parquet, Feather, Excel, ARFF, LIBSVM), arrays (NPY, NPZ,
HDF5, .mat, AnnData, Matrix Market, safetensors, word vectors) or images (IDX, or a ZIP). Columns
of text with few different values become columns of 0 and 1, rows with missing values are dropped
(or values filled with the mean), and columns that never vary are left out; all of it is counted
and said. Columns of a table are brought to mean 0 and variance 1, arrays and images are taken as
they are, unless you choose otherwise. The label is shown, and never trained on.

Source: the file you give, kept under a key that only you and those you send a link to know; needs
no network
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from svae_core.own_data.choice import Choice
from svae_core.records import Dataset, RequestError, option

LICENCE = "that of your file"


@dataclass(frozen=True)
class Config:
    """The file, and how its table becomes points."""

    key: str = option("", "where the file is kept: its fingerprint and a secret; see data")
    array: str = option(
        "",
        "which array of a file that holds several are the points: a name in an NPZ, HDF5, .mat, "
        ".h5ad or safetensors file, a list column, a sheet (empty: the largest)",
    )
    labels: str = option(
        "",
        "a second file with labels for the rows, joined by their names or by order: where it is "
        "kept, or on the command line its path",
    )
    turned: bool = option(False, "exchange rows and columns, where the points are the columns")
    colour: bool = option(
        False, "pictures in colour keep their channels, three numbers a pixel, else they turn grey"
    )
    side: int = option(
        0,
        "shrink pictures to at most so many pixels a side (0: only if they have more than 4,096)",
        low=0,
        high=4096,
        label="size of the pictures",
    )
    features: str = option(
        "", "names of the columns to train on, separated by commas (empty: all that can be used)"
    )
    without: str = option(
        "", "names of columns to leave out, separated by commas", label="columns left out"
    )
    without_rows: str = option(
        "",
        "numbers of rows to leave out, counted from 1 and separated by commas",
        label="rows left out",
    )
    names: str = option(
        "",
        "name of the column that names the points; it is not trained on",
        label="names of the points",
    )
    label: str = option(
        "auto", "name of the column with the label, auto for the one that looks like it, or none"
    )
    missing: str = option(
        "drop",
        "how to treat rows with a missing value: drop them, or fill in the mean",
        choices=("drop", "mean"),
        label="missing values",
    )
    standardise: str = option(
        "auto",
        "standardise columns to mean 0, variance 1 (auto: for tables, not for arrays or images)",
        choices=("auto", "yes", "no"),
    )
    absent: str = option(
        "",
        "numbers that stand for a missing value, separated by commas, such as -999",
        label="numbers that stand for missing",
    )
    logs: str = option(
        "",
        "columns of which to take logarithms, separated by commas, or all",
        label="logarithms of",
    )
    counts: str = option(
        "raw",
        "counts of single cells: raw, log (library size brought to 10,000, then log(1 + x)), or "
        "variable (that, and only the 2,000 most variable columns)",
        choices=("raw", "log", "variable"),
    )


def how_of(config: Config) -> str:
    """The choices about reading a file, as `own_data.kept.deposit` takes them."""
    words = [name for name in ("turned", "colour") if getattr(config, name)]
    return " ".join([*words, f"side={config.side}"] if config.side else words)


def choice_of(config: Config) -> Choice:
    """The choices about the table; those about reading the file are in its key."""
    return Choice(**{item.name: getattr(config, item.name) for item in fields(Choice)})


def classes(config: Config) -> int:
    """How many classes the label of the file has, where K starts; 0 without a label."""
    from svae_core.own_data.kept import find
    from svae_core.own_data.labels import count_classes, labels_of
    from svae_core.own_data.table_to_points import select

    second = find(config.labels) if config.labels else None
    try:
        chosen = select(find(config.key), choice_of(config), 0, second)
        found = chosen.labelling
        return count_classes(labels_of(found.source, found.label, found.rows_for(chosen.rows))[1])
    except RequestError:
        return 0  # said where the points are needed


def load(config: Config, seed: int) -> Dataset:
    """The points of the file; the seed selects the sample if there are too many."""
    from svae_core.own_data.kept import find
    from svae_core.own_data.table_to_points import shape

    second = find(config.labels) if config.labels else None
    return shape(find(config.key), choice_of(config), seed, second)
