"""Faults of a cluster, with real processes: `make cluster-faults`, some minutes.

A sweep runs as its own program. Its rows are compared with those of a sweep on this machine.
"""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.dask_processes import ROOT, Dask, dask_processes

GRID = "--dataset wine --clusters 3 --latent-dim 2 --hidden 8 --sigma2 0.01:10:20 --seeds 3"
LONG = f"{GRID} --epochs 200"
RUNS = 2 * 20 * 3


class Sweep:
    """`svae sweep --out`, as a program."""

    def __init__(self, folder: Path, *more: str, **variables: str) -> None:
        self.out = folder / "rows.jsonl"
        command = [sys.executable, "-m", "svae_core", "sweep", *LONG.split(), *more]
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [*command, "--out", str(self.out), "--json"],
            cwd=ROOT,
            env=os.environ | {"SVAE_HOME": str(folder / "home"), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def rows(self) -> list[dict[str, Any]]:
        if not self.out.exists():
            return []
        return [json.loads(line) for line in self.out.read_text().splitlines() if line[-1] == "}"]

    def until_some_rows(self) -> None:
        while not self.rows():
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.05)

    def end(self) -> tuple[int, dict[str, Any], str]:
        out, complaint = self.process.communicate()
        return self.process.returncode, json.loads(out or "{}"), complaint


def outcomes(rows: list[dict[str, Any]]) -> dict[str, str]:
    """What was found by settings, without times; AssertionError for a row that is there twice."""
    found = {
        json.dumps(row["outcome"]["settings"], sort_keys=True): json.dumps(row["outcome"])
        for row in rows
    }
    assert len(found) == len(rows), "a row is doubled"
    return found


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The rows of the sweep, made on this machine."""
    sweep = Sweep(tmp_path_factory.mktemp("here"))
    assert sweep.end()[0] == 0
    found = outcomes(sweep.rows())
    assert len(found) == RUNS
    return found


@pytest.fixture
def dask() -> Iterator[Dask]:
    with dask_processes(2) as found:
        yield found


def test_a_lost_scheduler_keeps_rows_and_ends_with_1(
    dask: Dask, here: dict[str, str], tmp_path: Path
) -> None:
    sweep = Sweep(tmp_path, "--scheduler", dask.address)
    sweep.until_some_rows()
    dask.scheduler.kill()
    status, answer, said = sweep.end()
    assert status == 1 and answer["complete"] is False
    kept = sweep.rows()
    assert 0 < len(kept) < RUNS, "the sweep was over before the scheduler was"
    assert said.count("\n") == 1 and "is gone; stopped after" in said
    assert f"{len(kept)} of {RUNS}" in said and "the same command goes on" in said
    again = Sweep(tmp_path)
    assert again.end()[0] == 0
    assert again.rows()[: len(kept)] == kept
    assert outcomes(again.rows()) == here


def test_with_on_loss_local_it_goes_on_here(
    dask: Dask, here: dict[str, str], tmp_path: Path
) -> None:
    sweep = Sweep(tmp_path, "--scheduler", dask.address, "--on-loss", "local")
    sweep.until_some_rows()
    dask.scheduler.kill()
    status, answer, said = sweep.end()
    assert status == 0 and answer["complete"] is True
    assert "what goes on from here runs on this machine" in said
    assert outcomes(sweep.rows()) == here


@pytest.mark.parametrize("stops", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_a_worker_that_is_killed_or_frozen_costs_no_row(
    stops: signal.Signals, dask: Dask, here: dict[str, str], tmp_path: Path
) -> None:
    sweep = Sweep(tmp_path, "--scheduler", dask.address)
    sweep.until_some_rows()
    dask.process_of(0).send_signal(stops)
    status, answer, said = sweep.end()
    assert (status, said) == (0, "") and answer["complete"] is True
    assert outcomes(sweep.rows()) == here


def test_a_worker_with_other_code_is_told(dask: Dask, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(ROOT / "svae_core", other / "svae_core")
    with (other / "svae_core" / "commentary.py").open("a") as file:
        file.write("\n# another version\n")
    dask.add_worker(other)
    status, _, said = Sweep(tmp_path, "--scheduler", dask.address).end()
    assert status == 2 and said.count("\n") == 1
    assert "with svae_core " in said and "frames would differ" in said


def test_a_worker_without_the_code_is_told(dask: Dask, tmp_path: Path) -> None:
    dask.add_worker("")
    status, _, said = Sweep(tmp_path, "--scheduler", dask.address).end()
    assert status == 2 and said.count("\n") == 1
    assert "has workers that cannot import svae_core" in said


def test_wrong_ports_are_told_within_ten_seconds(tmp_path: Path) -> None:
    """A port where nobody listens, one of a web server, and no address at all.

    The limit is part of what is promised. It is measured here, where it is asked for by itself,
    and not in `make test`.
    """
    web = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0),
        type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": _no}),
    )
    threading.Thread(target=web.serve_forever, daemon=True).start()
    for address in ("tcp://127.0.0.1:9", f"tcp://127.0.0.1:{web.server_port}", "nonsense"):
        sweep = Sweep(tmp_path, "--scheduler", address)
        status, _, said = sweep.end()
        seconds = time.monotonic() - sweep.began
        print(f"{address}: {seconds:.1f} s: {said}")
        assert status == 2 and said.count("\n") == 1 and address in said
        assert seconds < 10 + _START, "start-up of Python included"
    web.shutdown()
    web.server_close()


_START = 5.0


def _no(*_: object) -> None: ...


def test_tls_lets_in_who_has_a_certificate(
    here: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the README says it: one authority, one certificate, and Dask's own variables."""
    made = certificates(tmp_path)
    options = [
        f"--tls-ca-file={made['ca']}",
        f"--tls-cert={made['cert']}",
        f"--tls-key={made['key']}",
    ]
    prefix = "DASK_DISTRIBUTED__COMM__TLS__"
    variables = {
        f"{prefix}CA_FILE": made["ca"],
        f"{prefix}CLIENT__CERT": made["cert"],
        f"{prefix}CLIENT__KEY": made["key"],
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    import dask

    dask.config.refresh()
    with dask_processes(1, "tls", tuple(options)) as cluster:
        sweep = Sweep(tmp_path, "--scheduler", cluster.address)
        assert sweep.end()[0] == 0 and outcomes(sweep.rows()) == here
        sweep.out.unlink()
        for name in variables:
            monkeypatch.delenv(name)
        status, _, said = Sweep(tmp_path, "--scheduler", cluster.address).end()
        assert status == 2 and said.count("\n") == 1
        plain = cluster.address.replace("tls", "tcp")
        status, _, said = Sweep(tmp_path, "--scheduler", plain).end()
        assert status == 2 and said.count("\n") == 1
    dask.config.refresh()


def certificates(folder: Path) -> dict[str, str]:
    """An authority, and a certificate of it, for localhost."""
    names = {name: str(folder / f"{name}.pem") for name in ("ca", "ca_key", "cert", "key")}

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj")
    openssl(*new, "/CN=ours", "-x509", "-keyout", names["ca_key"], "-out", names["ca"])
    request = str(folder / "request.pem")
    openssl(*new, "/CN=localhost", "-keyout", names["key"], "-out", request)
    signed = ("-CA", names["ca"], "-CAkey", names["ca_key"], "-CAcreateserial", "-days", "2")
    openssl("x509", "-req", "-in", request, *signed, "-out", names["cert"])
    return names
