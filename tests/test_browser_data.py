"""A file of one's own in the browser: from the upload to the certificate, and back by a link."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect
from support.browser import WAIT, Visit

pytestmark = pytest.mark.browser
Server = tuple[str, subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three groups of points, with text labels, missing values and a column that never varies."""
    rng = np.random.default_rng(0)
    lines = ["Länge;Breite;Höhe;Ort;=Sorte"]
    for row in range(240):
        group = row % 3
        values = [
            f"{v:.3f}".replace(".", ",") for v in rng.normal(0, 0.3, 3) + 2 * np.eye(3)[group]
        ]
        if row in (7, 70):
            values[1] = "NA"
        lines.append(";".join([*values, "7", ("Rose", "<b>Nelke</b>", "=2+5")[group]]))
    path = tmp_path_factory.mktemp("given") / "<b>Blumen.csv"
    path.write_text("\n".join(lines), encoding="cp1252")
    return path


def test_from_a_file_to_a_certificate_and_back_by_a_link(
    visit: Visit, browser: Browser, server: Server, flowers: Path
) -> None:
    page = visit.page
    page.goto(f"{server[0]}/shell?dataset=file&clusters=3&epochs=40")
    expect(page.get_by_test_id("stAlert").first).to_contain_text("Give your file", timeout=WAIT)
    page.locator("input[type=file]").set_input_files(flowers)
    heading = page.get_by_role("heading", name="b_Blumen.csv, on the shell")
    expect(heading).to_be_visible(timeout=WAIT)
    words = page.get_by_test_id("stMain")
    for sentence in (
        "cp1252, columns separated by semicolons",
        "2 of 240 rows were dropped, since a value is missing or not finite in Breite",
        "Constant columns were dropped: Ort",
        "The label is =Sorte",
    ):
        expect(words).to_contain_text(sentence)
    page.get_by_text("The file as read: 240 rows, 5 columns").click()
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    assert page.locator("b:has-text('Nelke')").count() == 0, "markup from the file is markup here"
    visit.picture("own-data-shell")

    visit.go_to("Train")
    badge = page.locator(".svae-card[data-method=spherical] .svae-badge")
    expect(badge).to_have_text("✓ certified", timeout=WAIT)
    visit.picture("own-data-train")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export replay").click()
    replay = Path(download.value.path()).read_text(encoding="utf-8")
    assert "b_Blumen.csv" in replay

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
