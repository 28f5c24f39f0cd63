"""What other systems do differently, as far as it can be simulated on this one."""

from __future__ import annotations

import ast
import ctypes
import importlib.util
import platform
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from svae_core.__main__ import main
from svae_core.commands import doctor
from svae_core.commands._stopping import resume_command
from svae_core.config import machine
from svae_core.own_data.formats import Source, npz

ROOT = Path(__file__).resolve().parents[1]
#: Starting processes in any other way than spawn and loky, which all systems have.
FORKS = {"multiprocessing", "pty", "os.fork", "os.forkpty"}


class Kernel:
    """Windows' own functions, as far as they are used here."""

    def __init__(self, parent_lives: bool = True) -> None:
        self.asked: list[tuple[str, Any]] = []
        self._parent_lives = parent_lives

    def OpenProcess(self, access: int, inherit: bool, process: int) -> int:
        self.asked.append(("open", process))
        return 17 if self._parent_lives else 0

    def WaitForSingleObject(self, handle: int, milliseconds: int) -> int:
        self.asked.append(("wait", handle))
        return 0

    def CloseHandle(self, handle: int) -> int:
        self.asked.append(("close", handle))
        return 1

    def GlobalMemoryStatusEx(self, status: Any) -> int:
        status._obj.total, status._obj.free = 8 * 2**30, 3 * 2**30
        return 1


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The facts of the machine as Windows tells them."""

    def loaded(kernel: Kernel) -> ModuleType:
        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
        assert machine.__file__
        spec = importlib.util.spec_from_file_location("machine_of_windows", machine.__file__)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "machine_of_windows", module)
        spec.loader.exec_module(module)
        return module

    return loaded


def test_a_worker_on_windows_waits_for_its_parents_end(windows: Any) -> None:
    """There os.getppid() names the parent for ever, so that asking for it never ends."""
    kernel = Kernel()
    windows(kernel).wait_for_end_of_parent(4711)
    assert kernel.asked == [("open", 4711), ("wait", 17), ("close", 17)]
    gone = Kernel(parent_lives=False)
    windows(gone).wait_for_end_of_parent(4711)
    assert gone.asked == [("open", 4711)]


def test_windows_tells_its_memory_and_has_no_limit_of_files(windows: Any) -> None:
    found = windows(Kernel())
    assert found.memory().total == 8 * 2**30 and found.memory().free == 3 * 2**30
    assert found.descriptors() is None


def test_a_container_has_its_share_of_the_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    allowed = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "_CONTAINER", (allowed,))
    whole = machine.memory()
    assert whole is not None
    allowed.write_text("max\n")
    same = machine.memory()
    assert same is not None and same.total == whole.total
    allowed.write_text(f"{2**28}\n")
    share = machine.memory()
    assert share is not None and share.total == 2**28 >= share.free


@pytest.mark.slow
def test_an_intel_mac_is_told_that_it_has_no_torch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_torch(_request: Any) -> int:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    from svae_core.commands import region

    monkeypatch.setattr(region, "run", no_torch)
    assert main(["region", "--dataset", "wine"]) == 2
    assert "pip install -r requirements.txt" in capsys.readouterr().err
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert main(["region", "--dataset", "wine"]) == 2
    said = capsys.readouterr().err
    assert "Intel processor" in said and said.count("\n") == 1


@pytest.mark.slow
def test_no_process_is_forked() -> None:
    """A fork of a process with threads may hang, and Windows has none."""
    for path in [*ROOT.glob("svae_core/**/*.py"), *ROOT.glob("pages/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [one.name for one in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                names = [f"{node.value.id}.{node.attr}"]
            assert not FORKS & {*names, *(name.partition(".")[0] for name in names)}, path


# --------------------------------------------------------------------------------- doctor


def test_doctor_finds_this_installation_well(home: Path) -> None:
    findings = list(doctor.examine(9, ""))
    known = {one.subject: one for one in findings}
    assert {"torch", "cores", "memory", "open files", "runs", "address", "cluster"} <= known.keys()
    assert not known["torch"].mend and not known["engine"].mend
    assert str(home) in known["runs"].found


def test_doctor_of_an_installed_package_asks_for_no_other_version(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no requirements.txt lies beside it; a version's "+cpu" is part of no pin."""
    versions = {"torch": "2.13.0+cpu", "streamlit": "1.67.0"}

    def version(name: str) -> str:
        if name == "scipy":
            raise doctor.importlib.metadata.PackageNotFoundError(name)
        return versions.get(name, "1.0")

    monkeypatch.setattr(doctor.importlib.metadata, "version", version)
    monkeypatch.setattr(doctor.svae_core, "__file__", str(tmp_path / "svae_core" / "__init__.py"))
    known = {one.subject: one for one in doctor._packages()}
    mends = {name: one.mend for name, one in known.items() if one.mend}
    assert mends == {"scipy": "install it: pip install scipy."}
    (tmp_path / "requirements.txt").write_text("torch==2.12.0\n")
    known = {one.subject: one for one in doctor._packages()}
    assert "with 2.12.0 only" in known["torch"].mend
    assert known["scipy"].mend == "install it: pip install -r requirements.txt."


@pytest.mark.parametrize(("system", "quoted"), [("win32", '"my run"'), ("linux", "'my run'")])
def test_a_command_to_go_on_with_is_quoted_as_the_shell_reads_it(
    system: str, quoted: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert resume_command(home / "my run") == f"python -m svae_core runs resume {quoted}"


def test_arrays_of_an_npz_are_read_where_a_mapped_file_cannot_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "mapped", str(path))

    monkeypatch.setattr(Path, "unlink", kept)
    np.savez(tmp_path / "model.npz", points=np.zeros((3, 2)), mean=np.ones((3, 1)))
    source = Source(tmp_path / "model.npz", "model.npz", tmp_path)
    with npz.arrays(source) as held:
        points, mean = held["points"].load(), held["mean"].load()
    assert np.array_equal(points, np.zeros((3, 2))) and np.array_equal(mean, np.ones((3, 1)))


@pytest.mark.parametrize(
    ("checkout", "said"),
    [(True, "pip install -r requirements.txt."), (False, "pip install torch.")],
)
def test_a_command_without_torch_says_how_to_have_it(
    checkout: bool,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def missing(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(doctor, "examine", missing)
    monkeypatch.setattr(machine, "without_torch", str)
    if not checkout:
        monkeypatch.setattr(machine.svae_core, "__file__", str(tmp_path / "a" / "__init__.py"))
    assert main(["doctor"]) == 2
    assert capsys.readouterr().err.strip().endswith(said)


def test_doctor_says_what_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = machine.Descriptors(10, 256)
    monkeypatch.setattr(doctor.machine, "descriptors", lambda: few)
    monkeypatch.setattr(doctor.machine, "memory", lambda: machine.Memory(2**30, 2**20))
    monkeypatch.setenv("SVAE_WORKERS", "none")
    home.write_text("a file where the folder should be")
    assert main(["doctor", "--scheduler", "nonsense"]) == 1
    said = capsys.readouterr().out
    for words in ("ulimit -n", "SVAE_WORKERS lower", "must be a whole number", "SVAE_HOME"):
        assert words in said
    assert "has no address of a scheduler" in said
