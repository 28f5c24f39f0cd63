"""Files of one's own in the browser: from the upload to the certificate, and back by a link."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, TimeoutError, expect
from support.browser import WAIT, Visit
from support.digit_files import write_xlsx
from support.effort import effort

from svae_core.__main__ import main

pytestmark = pytest.mark.browser
Server = tuple[str, subprocess.Popen[bytes]]
N = 120
KIND = np.arange(N) % 3


def cells(path: Path) -> None:
    """Counts of 60 genes in AnnData's layout, with the types of the cells and their donors."""
    import h5py
    from scipy import sparse

    rng = np.random.default_rng(1)
    rates = np.where(np.arange(60) % 3 == KIND[:, None], 8.0, 0.3)
    counts = sparse.csr_matrix(rng.poisson(rates * rng.uniform(0.5, 2, (N, 1))).astype(np.float32))
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "shape": counts.shape})
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(counts, part)
        for frame, names in (("obs", N), ("var", 60)):
            place = file.create_group(frame)
            place.attrs["_index"] = "_index"
            place["_index"] = [f"{frame}{i}" for i in range(names)]
        for name, codes in (("cell_type", KIND), ("donor", np.arange(N) // 60)):
            column = file.create_group(f"obs/{name}")
            column.attrs["encoding-type"] = "categorical"
            column["categories"] = [f"{name} {i}" for i in range(codes.max() + 1)]
            column["codes"] = codes.astype(np.int8)


def pictures(path: Path) -> None:
    """Colour pictures 12 × 12 as Hugging Face's datasets keeps them, with class names."""
    import pyarrow as pa
    from PIL import Image
    from pyarrow import parquet

    rng = np.random.default_rng(2)
    found = []
    for kind in KIND:
        picture = rng.integers(0, 60, (12, 12, 3), np.uint8)
        picture[4 * kind : 4 * kind + 4, :, kind] += 180
        out = io.BytesIO()
        Image.fromarray(picture).save(out, "PNG")
        found.append({"bytes": out.getvalue(), "path": None})
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    names = {"names": ["top", "middle", "bottom"], "_type": "ClassLabel"}
    features = {"image": {"_type": "Image"}, "label": names}
    about = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    table = pa.table({"image": pa.array(found, struct), "label": KIND})
    parquet.write_table(table.replace_schema_metadata(about), path)


def flowers(path: Path) -> None:
    """A sheet with an id, a sentinel, a missing value, a constant column, and markup as labels."""
    rng = np.random.default_rng(0)
    rows: list[list[object]] = [["Nr", "Länge", "Breite", "Höhe", "Ort", "=Sorte"]]
    for row, kind in enumerate(KIND):
        values: list[object] = (rng.normal(0, 0.3, 3) + 2 * np.eye(3)[kind]).round(3).tolist()
        values[1] = -999 if row in (7, 70) else None if row == 8 else values[1]
        rows.append([row + 1000, *values, 7, ("Rose", "<b>Nelke</b>", "=2+5")[kind]])
    write_xlsx(path, rows)


def press(*names: str) -> Callable[[Page], None]:
    """A correction: buttons, one after the other."""

    def correct(page: Page) -> None:
        for name in names:
            page.get_by_role("button", name=name).click()
            expect(page.get_by_role("button", name=name)).to_have_count(0, timeout=WAIT)

    return correct


def choose(label: str, option: str) -> Callable[[Page], None]:
    """A correction: another value of a widget beside the upload."""

    def correct(page: Page) -> None:
        wanted = page.get_by_role("option", name=option)
        for _ in range(100):  # a page that is drawn again closes the list
            page.get_by_role("combobox", name=re.compile(label)).click()
            with contextlib.suppress(TimeoutError):
                return wanted.click(timeout=2_000)
        raise AssertionError(f"{option} cannot be chosen")

    return correct


def keep_colours(page: Page) -> None:
    page.get_by_text("Keep the colours").click()
    expect(page.get_by_test_id("stSidebar")).to_contain_text("432 numbers", timeout=WAIT)


#: File, how it is written, corrections, and the options that make the same ones.
FILES: tuple[tuple[str, Callable[[Path], None], Iterable[Callable[[Page], None]], str], ...] = (
    (
        "cells.h5ad",
        cells,
        (press("Same total, then log"), choose("Label", "donor")),
        "--file.counts log --file.label donor",
    ),
    (
        "train-00000-of-00001.parquet",
        pictures,
        (keep_colours, choose("Size of the pictures", "at most 8 × 8")),
        "--file.colour yes --file.side 8",
    ),
    (
        "<b>Blumen.xlsx",
        flowers,
        (press("Take -999 for missing", "Leave out Nr"),),
        "--file.absent -999 --file.without Nr",
    ),
)


def walk(visit: Visit, url: str, path: Path, corrections: Iterable[Callable[[Page], None]]) -> None:
    """Upload and correct on the Region page, which is drawn faster than Shell."""
    page = visit.page
    page.goto(f"{url}/region?dataset=file&clusters=3&epochs=40")
    expect(page.get_by_test_id("stAlert").first).to_contain_text("Give your file", timeout=WAIT)
    page.locator("input[type=file]").first.set_input_files(path)
    expect(page.get_by_test_id("stMain")).to_contain_text("Read as", timeout=WAIT)
    for correct in corrections:
        correct(page)


def measured(path: Path, options: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What `region` says of the file: rows and numbers as the caption has them, and W."""
    assert (
        main(["region", "--dataset", str(path), "--clusters", "3", *options.split(), "--json"]) == 0
    )
    found = json.loads(capsys.readouterr().out)
    return f"{found['n']} rows of {found['ambient_dim']} numbers each", f"{found['W']:.3f}"


def test_from_a_file_to_a_certificate_and_back_by_a_link(
    visit: Visit,
    browser: Browser,
    server: Server,
    tmp_path: Path,
    home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page, words = visit.page, visit.page.get_by_test_id("stMain")
    badge = page.locator(".svae-card[data-method=spherical] .svae-badge")
    for name, write, corrections, options in FILES:
        path = tmp_path / name
        write(path)
        size, within = measured(path, options, capsys)
        walk(visit, server[0], path, corrections)
        expect(words).to_contain_text(size, timeout=WAIT)
        visit.go_to("Shell")
        expect(page.get_by_test_id("stMetricValue").first).to_have_text(within, timeout=WAIT)
        visit.picture(f"own-data-shell-{path.suffix[1:]}")
        if path.suffix == ".h5ad" and not effort(0, 1):
            continue  # trained as the table after it is
        visit.go_to("Train")
        expect(words).to_contain_text(size.split()[0] + " × ", timeout=WAIT)
        expect(badge).to_have_text("✓ certified", timeout=WAIT)
        visit.picture(f"own-data-train-{path.suffix[1:]}")
    assert page.locator("b:has-text('Nelke')").count() == 0, "markup from the file is markup here"
    with page.expect_download() as download:
        page.get_by_role("link", name="Export replay").click()
    assert "b_Blumen.xlsx" in Path(download.value.path()).read_text(encoding="utf-8")

    address = page.url
    assert re.search(r"file\.key=[0-9a-f]{16}-[0-9a-f]{24}", address)
    other = browser.new_context().new_page()  # somebody else, with the link
    other.goto(address)
    other.wait_for_selector("[data-status=finished]", timeout=WAIT)
    other.goto(re.sub("key=[0-9a-f]{16}", f"key={'0' * 16}", address).replace("run=", "not="))
    expect(other.locator(".svae-trouble")).to_contain_text("again", timeout=WAIT)
    other.close()
    assert visit.errors == []


def test_a_hostile_file_is_refused_in_a_sentence(
    visit: Visit, server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "harmful.npy"
    np.save(path, np.array([{}], object), allow_pickle=True)
    page = visit.page
    page.goto(f"{server[0]}/shell?dataset=file")
    page.locator("input[type=file]").set_input_files(path)
    alert = page.get_by_test_id("stAlert").first
    expect(alert).to_contain_text("pickled Python objects", timeout=WAIT)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    visit.picture("own-data-refused")
    assert visit.errors == []


def test_corrections_that_follow_each_other_quickly_are_all_made(
    visit: Visit, server: Server, tmp_path: Path
) -> None:
    """The second is clicked while the page still shows what it was before the first."""
    path = tmp_path / "hasty.csv"
    rows = [f"{1_600_000_000 + 60 * i},{i * 37 % 11},{i * 71 % 13},{i % 4}" for i in range(60)]
    rows[7] = rows[7].replace(",", ",-999", 1)  # -9990 to -99910: a sentinel once, far from others
    path.write_text("\n".join(["when,a,b,label", *rows]))
    page, main_part = visit.page, visit.page.get_by_test_id("stMain")
    walk(visit, server[0], path, ())
    leave_out = page.get_by_role("button", name="Leave out when", exact=True)
    other = page.get_by_role("button", name="Leave out row 8", exact=True)
    expect(leave_out).to_be_visible()
    with visit.slow_line():
        leave_out.click()
        page.wait_for_function("location.search.includes('file.without=when')")
        other.click()
    expect(main_part).to_contain_text("59 rows of 2 numbers each")
    expect(leave_out).to_have_count(0)
    expect(other).to_have_count(0)
    assert visit.errors == []
