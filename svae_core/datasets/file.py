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

from dataclasses import dataclass

from svae_core.records import Dataset, option


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
    features: str = option(
        "", "names of the columns to train on, separated by commas (empty: all that can be used)"
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


def load(config: Config, seed: int) -> Dataset:
    """The points of the file; the seed selects the sample if there are too many."""
    from svae_core.own_data.kept import find
    from svae_core.own_data.table_to_points import Choice, shape

    choice = Choice(config.features, config.label, config.missing, config.standardise)
    second = find(config.labels) if config.labels else None
    return shape(find(config.key), choice, seed, second)
