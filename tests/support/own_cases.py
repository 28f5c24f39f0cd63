"""Files of this field that were read wrong once, each with what is right for it."""

from __future__ import annotations

from math import nan
from pathlib import Path

CASES = Path(__file__).resolve().parents[1] / "own_data_cases"

#: file -> n, d, T on the shell to three digits (nan: not stated), and words of its notes.
RIGHT: dict[str, tuple[int, int, float, tuple[str, ...]]] = {
    "emb_list.parquet": (300, 16, 0.978, ("lists in the column embedding", "id, text, topic")),
    "hf_image.parquet": (200, 64, nan, ("pictures in the column image", "label is label")),
    "medmnist_rgb.npz": (150, 64, nan, ("train_images", "turned grey", "label is label")),
    "sparse_counts.npz": (200, 300, 0.917, ("sparse matrix (csr)",)),
    "us_thousands.tsv": (200, 3, nan, ("“,” between thousands",)),
    "pandas_noindex.csv": (300, 16, 0.941, ("names in the first row",)),
    "int_label_target.csv": (178, 13, nan, ("label is target",)),
    "dates_small.csv": (40, 2, nan, ("dates or times: date",)),
    "off0.npy": (200, 5, 0.997, ()),
    "off1e8.npy": (200, 5, 0.997, ("moved to mean 0",)),
    "iris_nominal_wide.arff": (60, 4, nan, ("label is c",)),
    "index_col.csv": (178, 13, nan, ("counts the rows",)),
    "lt_values.csv": (195, 3, nan, ("5 cells that are no numbers count as missing",)),
    "glove.txt": (300, 16, 0.978, ("separated by blanks", "different in nearly every row")),
    "mnist_keras.npz": (150, 64, nan, ("Points are the array x_train", "label is label")),
    "one_empty_column.csv": (200, 6, nan, ("nearly all of its values are missing: empty",)),
    "one_outlier.csv": (200, 6, nan, ("Row 18 lies 199 times",)),
    "pandas_index.parquet": (60, 3, nan, ("index of a data frame was left out",)),
    "scales.npy": (200, 6, nan, ("of the variance and decides nearly all",)),
    "sentinel_999.csv": (200, 6, nan, ("-999 lies far from all other values",)),
    "train-images-idx3-ubyte": (200, 64, nan, ("IDX",)),
}
