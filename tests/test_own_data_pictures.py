"""Pictures of a file of one's own: shrunk, turned grey or kept in colour, and seen as they were."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from svae_core.own_data.array_layout import _areas
from svae_core.own_data.choice import Choice
from svae_core.own_data.read_by_format import read_table
from svae_core.own_data.table_to_points import shape
from svae_core.own_data.tables import Table

RNG = np.random.default_rng(11)
COLOURS = RNG.integers(0, 256, (20, 12, 16, 3), np.uint8)
GREY = np.rint(COLOURS @ [0.299, 0.587, 0.114])
Made = Callable[..., Table]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Reads a file that `write` makes, as chosen."""

    def make(name: str, write: Callable[[Path], object], how: str = "", array: str = "") -> Table:
        path, folder = tmp_path / name, tmp_path / f"table-{name}-{how}-{array}"
        write(path)
        folder.mkdir()
        return read_table(path, name, folder, array=array, how=how)

    return make


def as_npy(path: Path) -> None:
    np.save(path, COLOURS)


def as_npy_channels_first(path: Path) -> None:
    np.save(path, np.moveaxis(COLOURS, -1, 1))


def as_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as out:
        for number, picture in enumerate(COLOURS):
            content = io.BytesIO()
            Image.fromarray(picture).save(content, "PNG")
            out.writestr(f"{'cats' if number % 2 else 'dogs'}/{number:03}.png", content.getvalue())


def as_hugging_face(path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    cells = []
    for picture in COLOURS:
        content = io.BytesIO()
        Image.fromarray(picture).save(content, "PNG")
        cells.append({"bytes": content.getvalue(), "path": None})
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    parquet.write_table(pa.table({"image": pa.array(cells, kind)}), path)


#: A ZIP is read in the order of its names: cats, then dogs.
ORDER = {"c.zip": [*range(1, 20, 2), *range(0, 20, 2)]}
WRITERS = {"c.npy": as_npy, "first.npy": as_npy_channels_first}
WRITERS |= {"c.zip": as_zip, "c.parquet": as_hugging_face}


def order(name: str) -> list[int]:
    """The rows of COLOURS in the order in which they are read."""
    return ORDER.get(name, list(range(20)))


@pytest.mark.parametrize("name", WRITERS)
def test_colour_turns_grey_and_is_said_and_the_first_stay_to_be_seen(made: Made, name: str) -> None:
    table = made(name, WRITERS[name])
    points = shape(table, Choice(), 0).points
    # Pillow rounds its weights to 1/65536, so that single values may differ by one step.
    assert points.reshape(20, 12, 16) * 255 == pytest.approx(GREY[order(name)], abs=1.01)
    assert table.image_shape == (12, 16) and table.colour == "grey"
    assert any("turned grey" in note for note in table.notes)
    before = table.before()
    assert before is not None and np.array_equal(before, COLOURS[order(name)][:12])


@pytest.mark.parametrize("name", WRITERS)
def test_colour_is_kept_by_choice_as_three_numbers_a_pixel(made: Made, name: str) -> None:
    table = made(name, WRITERS[name], how="colour")
    data = shape(table, Choice(), 0)
    assert data.points * 255 == pytest.approx(COLOURS[order(name)].reshape(20, -1), abs=1e-3)
    assert data.image_shape is None and table.colour == "channels"


@pytest.mark.parametrize("name", WRITERS)
def test_pictures_are_shrunk_to_a_side_by_choice(made: Made, name: str) -> None:
    table = made(name, WRITERS[name], how="side=4")
    assert table.image_shape == (3, 4)
    means = GREY[order(name)].reshape(20, 3, 4, 4, 4).mean(axis=(2, 4))
    found = shape(table, Choice(), 0).points.reshape(20, 3, 4) * 255
    assert found == pytest.approx(means, abs=1.6)  # grey and mean are both rounded
    before = table.before()
    assert before is not None and before.shape[1:] == (12, 16, 3)


def test_pictures_of_more_pixels_than_features_are_shrunk_and_said(made: Made) -> None:
    large = RNG.random((6, 96, 128))
    table = made("large.npy", lambda path: np.save(path, large))
    assert table.image_shape == (55, 73)
    assert any("shrunk from 128 × 96 to 73 × 55" in note for note in table.notes)
    assert np.asarray(table.numbers()).mean() == pytest.approx(large.mean(), rel=1e-3)
    small = made("wide.npy", lambda path: np.save(path, RNG.random((3, 64, 64))))
    assert small.image_shape == (64, 64) and small.before() is None


def test_new_pixels_are_means_of_areas() -> None:
    assert _areas(4, 2).tolist() == [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]
    assert _areas(3, 2) == pytest.approx(np.array([[2, 1, 0], [0, 1, 2]]) / 3)
    for full, small in ((96, 55), (7, 7), (5, 1)):
        assert _areas(full, small).sum(axis=1) == pytest.approx(1.0)
        assert _areas(full, small).sum(axis=0) == pytest.approx(small / full)


def test_folders_of_a_zip_are_the_labels(made: Made) -> None:
    data = shape(made("c.zip", as_zip), Choice(), 0)
    assert data.label_names == ("cats", "dogs")
    assert data.labels is not None and data.labels.tolist() == [0] * 10 + [1] * 10


@pytest.mark.parametrize("name", ["many.npz", "many.h5", "many.mat", "many.safetensors"])
def test_the_arrays_of_a_file_are_offered_by_name(made: Made, name: str) -> None:
    arrays = {"wide": RNG.random((30, 7)), "narrow": RNG.random((30, 3)), "label": np.arange(30.0)}

    def write(path: Path) -> None:
        if name.endswith("npz"):
            np.savez(path, **arrays)
        elif name.endswith("mat"):
            from scipy import io as scipy_io

            scipy_io.savemat(path, arrays)
        elif name.endswith("h5"):
            import h5py

            with h5py.File(path, "w") as file:
                for key, array in arrays.items():
                    file[key] = array
        else:
            from safetensors.numpy import save_file

            save_file(arrays, path)

    table = made(name, write)
    assert table.array == "wide" and {"wide", "narrow"} <= set(table.arrays)
    other = made(name, write, array="narrow")
    assert other.array == "narrow" and np.array_equal(other.numbers(), arrays["narrow"])
