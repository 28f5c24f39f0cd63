"""The Dockerfile's steps in a clean folder: what they make serves, as nobody, and keeps its runs.

Needs the package index, and the right to become another user; `make deployment` runs this.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from support.dockerfile import ROOT, Image
from support.ports import free_port

sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))
from students import Student

WAIT = 300.0


@pytest.fixture(scope="module")
def torch_index() -> Iterator[str]:
    """An index with this machine's own wheel of torch in place of PyTorch's, which may be far."""
    (pinned,) = (
        line for line in (ROOT / "requirements.txt").read_text().splitlines() if "torch==" in line
    )
    with tempfile.TemporaryDirectory() as folder:
        wheels = Path(folder) / "torch"
        wheels.mkdir()
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--only-binary=:all:", "-d", wheels, pinned], check=True)
        links = "".join(f'<a href="{one.name}">{one.name}</a>' for one in wheels.iterdir())
        (wheels / "index.html").write_text(links)
        yield Path(folder).as_uri()


@pytest.fixture(scope="module")
def image(torch_index: str) -> Iterator[Image]:
    assert os.geteuid() == 0, "only root can become the image's user: run this as root"
    assert shutil.which("setpriv"), "setpriv is missing: apt-get install util-linux"
    folder = Path(tempfile.mkdtemp(prefix="svae-image-"))
    folder.chmod(0o755)
    try:
        built = Image(folder, {"TORCH_INDEX": torch_index})
        built.build(ROOT / "Dockerfile")
        yield built
    finally:
        shutil.rmtree(folder)


@contextmanager
def container(image: Image) -> Iterator[tuple[str, psutil.Process]]:
    """The image's CMD at a free port, as its user; the address."""
    port = free_port()
    command = image.as_user([*image.command, f"--server.port={port}"])
    process = subprocess.Popen(command, **image.where())  # type: ignore[call-overload]
    try:
        deadline = time.monotonic() + WAIT
        while image.run(_health(image, port), capture_output=True).returncode:
            assert process.poll() is None and time.monotonic() < deadline, "it never was well"
            time.sleep(0.5)
        yield f"localhost:{port}", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def _health(image: Image, port: int) -> list[str]:
    return [word.replace(":8501", f":{port}") for word in image.health]


async def _train(student: Student) -> None:
    attending = asyncio.create_task(student.attend(time.monotonic() + WAIT))
    while student.moments <= 3 and not student.errors:
        await asyncio.sleep(0.1)
    await asyncio.sleep(5)  # saved every two seconds
    attending.cancel()
    await asyncio.gather(attending, return_exceptions=True)


def test_it_serves_as_nobody_and_keeps_its_runs(image: Image) -> None:
    user = int(image.user.partition(":")[0])
    with container(image) as (address, process):
        for one in [process, *process.children(recursive=True)]:
            assert one.uids().real == one.uids().effective == user
        student = Student(address, "dataset=wine&clusters=3&epochs=20000")
        asyncio.run(_train(student))
        assert not student.errors
    run = student.query.rpartition("run=")[2]
    assert run and list(Path(image.volumes[0]).rglob("run.json"))
    with container(image) as (address, _):  # another container of the same volume
        figure = f"http://{address}/stage/figure/{run}/shells.svg"
        assert urllib.request.urlopen(figure, timeout=WAIT).read().startswith(b"<svg")


def test_it_can_write_to_runs_and_caches_only(image: Image) -> None:
    for folder in ("/srv/svae", "/srv/svae/pages", "/srv/svae/svae_core"):
        assert image.run(["test", "-w", folder]).returncode == 1
    assert image.run(["test", "-w", "/data"]).returncode == 0


def test_its_health_check_fails_where_nobody_answers(image: Image) -> None:
    assert image.run(_health(image, 9), capture_output=True).returncode != 0


def test_it_has_what_the_lock_says(image: Image) -> None:
    listed = image.run(["pip", "list", "--format=freeze"], capture_output=True).stdout
    has = {_normalised(line) for line in listed.splitlines()}
    locked = {
        _normalised(line.split()[0])
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if "==" in line and ";" not in line
    }
    assert not locked - has
    assert not [one for one in has if one.startswith("nvidia")], "CUDA came along"


def _normalised(pin: str) -> str:
    """A pin with the name as indexes compare it: Jinja2 and jinja2 are one."""
    name, _, version = pin.partition("==")
    return f"{re.sub('[-_.]+', '-', name).lower()}=={version}"
