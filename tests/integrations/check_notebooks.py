"""The stage in real notebooks: JupyterLab and marimo in chromium, and the notebooks of docs.

`make notebooks` runs this in an environment of its own. Screenshots and figures are left in
$SVAE_SCREENSHOTS, if that is set.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "notebooks"
NOTEBOOKS = sorted(path.name for path in DOCS.glob("*.ipynb"))
LARGEST = 10_000_000  # bytes of a saved notebook
WAIT = int(os.environ.get("SVAE_WAIT", "300_000"))  # milliseconds
STAGE = ".svae-stage[data-moment]"
expect.set_options(timeout=WAIT)
#: Where a point is on the first shell of a stage; the next one whose output is on the canvas, since
#: a model that has learnt nothing throws some far out.
POINT = """(stage, n) => {
  const place = stage.querySelector(".svae-shells .svae-place");
  place.scrollIntoView({ block: "center" });
  const box = stage.querySelector(".svae-shells .svae-sheet").getBoundingClientRect();
  const { x, y } = place.seen[0];
  const inside = (at) => x[at] > 9 && y[at] > 9 && x[at] < box.width - 9 && y[at] < box.height - 9;
  while (!inside(n)) n += 1;
  return [box.left + x[n], box.top + y[n]];
}"""
COLOURS = """(stage) => {
  const canvas = stage.querySelector(".svae-shells .svae-sheet canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const found = new Set();
  for (let n = 0; n < data.length; n += 4) {
    const [r, g, b, a] = data.slice(n, n + 4);
    const coloured = a > 200 && Math.max(r, g, b) - Math.min(r, g, b) > 60;
    if (coloured) found.add(`${r >> 5} ${g >> 5} ${b >> 5}`);
  }
  return found.size;
}"""
MARIMO = """
import marimo

app = marimo.App(width="full")


@app.cell
def _():
    import time

    import torch
    from sklearn.datasets import load_digits
    from torch import nn

    from svae_core import watch
    from svae_core.integrations.pytorch import CollapseMonitor

    X = torch.tensor(load_digits().data / 16, dtype=torch.float32)
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 16))
    decoder = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 64))
    monitor = CollapseMonitor(lambda x: encoder(x).chunk(2, dim=1), decoder, X, sigma2=0.05)
    return X, decoder, encoder, monitor, time, torch, watch


@app.cell
def _(monitor, watch):
    view = watch(monitor, image=(8, 8), steps=300)
    view
    return (view,)


@app.cell
def _(X, decoder, encoder, monitor, time, torch, view):
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 2e-3)
    for step in range(301):
        x = X[torch.randint(0, len(X), (128,))]
        mean, log_variance = encoder(x).chunk(2, dim=1)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        error = (decoder(z) - x).square().sum(dim=1).mean()
        kl = (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean() / 2
        loss = error / 0.1 + kl
        adam.zero_grad()
        loss.backward()
        adam.step()
        if step % 5 == 0:
            monitor.step(step)
            time.sleep(0.3)  # so that there is a while to look at it
    monitor.certify()
    return


if __name__ == "__main__":
    app.run()
"""


# ----------------------------------------------------------------------- docs' notebooks


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_of_the_docs_runs_and_is_shown_as_it_was_run(name: str, tmp_path: Path) -> None:
    kept = nbformat.read(DOCS / name, 4)
    assert (DOCS / name).stat().st_size < LARGEST
    fresh = nbformat.read(DOCS / name, 4)
    for cell in fresh.cells:
        cell.outputs = []
    os.environ["SVAE_HOME"] = str(tmp_path / "home")
    nbclient.NotebookClient(
        fresh, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    for before, now in zip(kept.cells, fresh.cells, strict=True):
        if before.cell_type == "code":
            assert [kinds(one) for one in before.outputs] == [kinds(one) for one in now.outputs]
    assert len(nbformat.writes(fresh)) < LARGEST


def kinds(output: Any) -> tuple[str, ...]:
    """The MIME types of an output, or the name of its stream."""
    return tuple(sorted(output.get("data", {output.get("name", ""): ""})))


# --------------------------------------------------------------------------- in JupyterLab


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def served(command: list[str], work: Path, health: str) -> subprocess.Popen[bytes]:
    variables = {name: value for name, value in os.environ.items() if "JUPYTER" not in name}
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "SVAE_HOME"):
        variables[name] = str(work.parent / name.lower())
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=work,
        env=variables | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + WAIT / 1000
    while True:
        try:
            urllib.request.urlopen(health, timeout=1).close()
            return process
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, command
            time.sleep(0.2)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """JupyterLab's address, and the folder that it shows."""
    work = tmp_path_factory.mktemp("lab") / "work"
    work.mkdir()
    port = free_port()
    options = ["--no-browser", "--allow-root", f"--port={port}", f"--ServerApp.root_dir={work}"]
    options += ["--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"]
    url = f"http://localhost:{port}"
    process = served(["jupyterlab", *options], work, f"{url}/api")
    yield url, work
    process.terminate()
    process.wait()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1400, "height": 1000})
    opened.set_default_timeout(WAIT)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("SVAE_SCREENSHOTS", tmp_path_factory.mktemp("pictures")))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def moment_of(stage: Locator) -> int:
    return int(stage.get_attribute("data-moment") or -1)


def click_point(page: Page, stage: Locator, number: int) -> None:
    x, y = stage.evaluate(POINT, number)
    page.mouse.move(x, y)
    page.mouse.click(x, y)


def scrub(stage: Locator | FrameLocator, place: Locator) -> int:
    """To the first moment by the slider; the moment that was shown before."""
    before = moment_of(place)
    place.locator("input[type=range]").first.fill("0")
    expect(place).to_have_attribute("data-moment", "0")
    return before


def live_until(page: Page, stage: Locator, least: int) -> set[int]:
    """The moments that are shown while the loop runs, until there are so many."""
    shown: set[int] = set()
    deadline = time.monotonic() + WAIT / 1000
    while len(shown) < least and time.monotonic() < deadline:
        if stage.get_attribute("data-status") == "playing":
            shown.add(moment_of(stage))
        page.wait_for_timeout(50)
    assert len(shown) >= least, shown
    return shown


def open_notebook(page: Page, url: str, name: str) -> None:
    page.goto(f"{url}/lab/tree/{name}?reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()


def menu(page: Page, title: str, entry: str) -> None:
    page.get_by_role("menuitem", name=title, exact=True).click()
    page.get_by_text(entry, exact=True).click()


def slowed(name: str, to: Path) -> None:
    """The docs' notebook without outputs, whose loop leaves a while to look at it."""
    notebook = nbformat.read(DOCS / name, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            look = "        monitor.step(step)"
            cell.source = cell.source.replace(look, f"        import time; time.sleep(0.1)\n{look}")
    nbformat.write(notebook, to)


def test_the_stage_in_jupyterlab(lab: tuple[str, Path], page: Page, pictures: Path) -> None:
    url, work = lab
    saved = work / "loop.ipynb"
    slowed("my_training_loop.ipynb", saved)
    open_notebook(page, url, saved.name)
    menu(page, "Run", "Run All Cells")
    stage = page.locator(STAGE).first
    expect(stage).to_be_visible()

    # While the loop runs: moments come by themselves, and a click is decoded.
    shown = live_until(page, stage, 10)
    click_point(page, stage, 5)
    decoded = stage.locator(".svae-decoded")
    expect(decoded).to_contain_text("decoded at step")
    assert stage.get_attribute("data-status") == "playing", "it is decoded while the loop runs"
    page.screenshot(path=pictures / "jupyterlab-live.png")
    print(f"\nJupyterLab: {len(shown)} moments shown before the first click, live")

    # Afterwards: the output holds the run, and the kernel answers clicks, on earlier moments too.
    expect(page.locator("[data-svae][data-live]")).to_have_count(1)
    stage = page.locator(f"[data-svae] {STAGE}")
    expect(stage).to_have_attribute("data-status", "finished")
    assert scrub(stage, stage) == 120
    click_point(page, stage, 15)
    expect(stage.locator(".svae-decoded")).to_contain_text("decoded at step 0")
    assert stage.evaluate(COLOURS) >= 6, "ten clusters have their colours"
    stage.scroll_into_view_if_needed()
    page.screenshot(path=pictures / "jupyterlab-light.png")
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).first.hover()
    page.get_by_text("JupyterLab Dark", exact=True).click()
    expect(stage).to_have_attribute("data-theme", "dark")
    page.screenshot(path=pictures / "jupyterlab-dark.png")
    menu(page, "File", "Save Notebook")
    deadline = time.monotonic() + 60
    while "data-svae" not in saved.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline, "the notebook was not saved"
        page.wait_for_timeout(200)
    assert saved.stat().st_size < LARGEST
    print(f"saved notebook: {saved.stat().st_size:,} bytes")


def test_the_saved_notebook_plays_without_its_kernel(
    lab: tuple[str, Path], page: Page, pictures: Path
) -> None:
    url, work = lab
    assert (work / "loop.ipynb").exists(), "the test before saves it"
    for session in json.load(urllib.request.urlopen(f"{url}/api/sessions")):
        request = urllib.request.Request(f"{url}/api/sessions/{session['id']}", method="DELETE")
        urllib.request.urlopen(request).close()
    open_notebook(page, url, "loop.ipynb")
    page.locator("[data-svae]").scroll_into_view_if_needed()  # frames are loaded when seen
    frame = page.frame_locator("[data-svae] > iframe")
    stage = frame.locator(STAGE)
    expect(stage).to_have_attribute("data-status", "finished")
    assert scrub(frame, stage) == 120
    frame.get_by_role("button", name="Play").first.click()
    page.wait_for_timeout(1000)
    assert moment_of(stage) > 0, "it plays"
    page.screenshot(path=pictures / "jupyterlab-reopened.png")


ASIDE = """import subprocess, sys, time

from svae_core import watch
from svae_core.runs.folder import home

train = "-m svae_core train --dataset digits --clusters 10 --epochs 12000 --save".split()
aside = subprocess.Popen([sys.executable, *train], stdout=subprocess.DEVNULL)
while not (found := list(home().glob("*/run.json"))):
    assert aside.poll() is None
    time.sleep(0.2)
watch(found[0].parent)"""


def test_a_run_that_another_process_trains_is_followed(
    lab: tuple[str, Path], page: Page, pictures: Path
) -> None:
    url, work = lab
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(ASIDE)])
    notebook.metadata = nbformat.read(DOCS / NOTEBOOKS[0], 4).metadata  # the kernel it is for
    nbformat.write(notebook, work / "aside.ipynb")
    open_notebook(page, url, "aside.ipynb")
    menu(page, "Run", "Run All Cells")
    stage = page.locator(STAGE).first
    expect(stage).to_be_visible()
    shown = live_until(page, stage, 5)
    click_point(page, stage, 5)
    expect(stage.locator(".svae-decoded")).to_contain_text("decoded at step")
    page.screenshot(path=pictures / "jupyterlab-aside.png")
    print(f"\nanother process: {len(shown)} moments shown before the first click, live")
    stage = page.locator(f"[data-svae] {STAGE}")  # the run is over, and in the cell's output
    expect(stage).to_have_attribute("data-status", "finished")
    assert scrub(stage, stage) > max(shown)


# ------------------------------------------------------------------------------ in marimo


#: What a notebook says of itself: marimo shows it in this theme.
MARIMO_THEME = """# /// script
# [tool.marimo.display]
# theme = "{theme}"
# ///
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_stage_in_marimo(
    theme: str, tmp_path_factory: pytest.TempPathFactory, page: Page, pictures: Path
) -> None:
    work = tmp_path_factory.mktemp("marimo") / "work"
    work.mkdir()
    notebook = MARIMO_THEME.format(theme=theme) + MARIMO
    (work / "loop.py").write_text(notebook, encoding="utf-8")
    port = free_port()
    url = f"http://localhost:{port}"
    command = ["marimo", "-y", "run", "--headless", "--no-token", f"--port={port}", "loop.py"]
    process = served(command, work, f"{url}/health")
    try:
        page.goto(url)
        stage = page.locator(STAGE).first
        expect(stage).to_be_visible()
        expect(stage).to_have_attribute("data-theme", theme)
        shown = live_until(page, stage, 5)
        print(f"\nmarimo: {len(shown)} moments shown live")
        page.screenshot(path=pictures / f"marimo-{theme}-live.png")
        expect(stage).to_have_attribute("data-status", "finished")
        assert scrub(stage, stage) == 60
        click_point(page, stage, 5)
        expect(stage.locator(".svae-decoded")).to_contain_text("decoded at step 0")
        assert stage.evaluate(COLOURS) >= 6
        page.screenshot(path=pictures / f"marimo-{theme}.png")
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(work, ignore_errors=True)
