"""Runs a Dockerfile's steps in a clean folder, without Docker: the folder is the container's root.

Paths that the image makes its own (/srv, /data, /cache) lie in the folder, and `pip` and `python`
are those of an environment made there. USER is taken seriously: later steps run as that user.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: What the image makes; everything else of the machine is used as it is.
_OWN = re.compile(r"(?<![\w.])/(srv|data|cache)(?=[/\s\"']|$)")


@dataclass
class Image:
    """The steps so far: where they work, with which variables, and as whom."""

    root: Path
    arguments: dict[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    work: Path = Path("/")
    user: str = ""
    volumes: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def build(self, dockerfile: Path) -> None:
        """Run all steps; AssertionError for an instruction that is not known here."""
        subprocess.run([python_for_all(), "-m", "venv", self.root / "env"], check=True)
        self.work = self.root
        for name, rest in instructions(dockerfile.read_text("utf-8")):
            step = getattr(self, f"_{name.lower()}", None)
            assert step is not None, f"{name} is not known here"
            step(rest)

    def run(self, command: list[str], **how: object) -> subprocess.CompletedProcess[str]:
        """A command as the image's user, in its folder."""
        return subprocess.run(self.as_user(command), **self.where(), text=True, **how)  # type: ignore

    def as_user(self, command: list[str]) -> list[str]:
        """The command, preceded by what drops all rights."""
        inside = [self.inside(word) for word in command]
        inside[0] = shutil.which(inside[0], path=self._variables()["PATH"]) or inside[0]
        if not self.user:
            return inside
        user, _, group = self.user.partition(":")
        return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *inside]

    def where(self) -> dict[str, object]:
        """The folder and the variables, for subprocess."""
        return {"cwd": self.work, "env": self._variables()}

    def inside(self, text: str) -> str:
        """A text with the image's own paths in the clean folder."""
        return _OWN.sub(lambda found: f"{self.root}/{found[1]}", text)

    def _variables(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "SSL_"))}
        path = f"{self.root}/env/bin:{os.environ['PATH']}"
        return {**kept, "PATH": path, "HOME": "/root", **self.arguments, **self.variables}

    def _from(self, rest: str) -> None:
        assert re.fullmatch(r"python:3\.\d+-slim", rest), "the steps are those of a Python image"

    def _arg(self, rest: str) -> None:
        name, _, default = rest.partition("=")
        self.arguments.setdefault(name, default)

    def _env(self, rest: str) -> None:
        pairs = (one.partition("=") for one in shlex.split(rest))
        self.variables |= {name: self.inside(value) for name, _, value in pairs}

    def _workdir(self, rest: str) -> None:
        self.work = Path(self.inside(rest))
        self.work.mkdir(parents=True)

    def _copy(self, rest: str) -> None:
        *sources, target = shlex.split(rest)
        allowed = (ROOT / ".dockerignore").read_text().splitlines()
        for source in sources:
            assert f"!{source}" in allowed, f".dockerignore leaves {source} out"
            origin, goal = ROOT / source, self.work / target
            if origin.is_dir():
                leave = shutil.ignore_patterns("__pycache__")
                shutil.copytree(origin, goal, ignore=leave)
            else:
                shutil.copy(origin, goal)

    def _run(self, rest: str) -> None:
        done = self.run(["bash", "-ec", rest], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, f"RUN {rest}\n{done.stdout[-4000:]}"

    def _user(self, rest: str) -> None:
        assert rest.split(":")[0] not in ("0", "root")
        self.user = rest

    def _volume(self, rest: str) -> None:
        self.volumes.append(self.inside(rest))

    def _expose(self, rest: str) -> None:
        assert rest == "8501"

    def _healthcheck(self, rest: str) -> None:
        self.health = json.loads(rest.partition("CMD")[2])

    def _cmd(self, rest: str) -> None:
        self.command = json.loads(rest)


def python_for_all() -> str:
    """A Python of this version that every user may run; ours may lie in somebody's home."""
    version = f"python3.{sys.version_info.minor}"
    for program in (os.path.realpath(sys.executable), f"/usr/bin/{version}"):
        nobody = ["setpriv", "--reuid=10001", "--regid=10001", "--clear-groups", "bash", "-c"]
        if not subprocess.run([*nobody, f"{program} -c 1"], capture_output=True).returncode:
            return program
    raise AssertionError(f"no {version} here may be run by everybody: apt-get install python3-venv")


def instructions(text: str) -> list[tuple[str, str]]:
    """Name and rest of each instruction, without comments."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    found = [line.split(None, 1) for line in whole.splitlines() if line.strip()]
    return [(name, rest.strip()) for name, rest in found]
