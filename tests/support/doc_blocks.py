"""The blocks of code in the README and on the pages of docs/, and how each is run.

A page's blocks are run in order, in one empty folder, and share what they make: files, saved runs
(SVAE_HOME) and the names of Python. Every fence names its language:

    python   executed; names are shared with the later blocks of the page
    sh       executed by bash, which stops at the first command that fails
    console  commands after "$ ", each followed by what it prints
    text     right below python or sh: what that block prints; elsewhere it is no code

In what is printed, … stands for anything, and a number for one within five per cent of it. RUN in a
command stands for the newest saved run. A block of sh that begins with "# installs" or "# serves"
would change the machine, or not end: its commands are checked by other means.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.forked_commands import commands_in

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LANGUAGES = {"python", "sh", "console", "text"}
#: First lines of blocks that are not executed.
MARKS = ("# installs", "# serves")

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<code>.*?)^ *```$", re.M | re.S)
#: In bash: the name of the newest saved run, looked up when it is needed.
_NEWEST = """newest() {
  svae runs list --json | python -c '
import json, pathlib, sys
print(pathlib.Path(json.load(sys.stdin)["runs"][0]["folder"]).name)'
}
"""
_COMMANDS = ".commands"  # the folder of `svae` and `python`
_NUMBER = r"[-−+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?"
_TOLERANCE = 0.05


@dataclass(frozen=True)
class Block:
    """One fence of a page."""

    page: str
    line: int
    language: str
    code: str
    expected: str | None = None  # what it prints; None where the page does not say

    @property
    def mark(self) -> str:
        """`# installs` or `# serves`, of a block that is not executed; else empty."""
        first = self.code.split("\n", 1)[0].strip()
        return first if self.language == "sh" and first in MARKS else ""


def blocks_of(path: Path) -> list[Block]:
    """The blocks of one page, each with the output that the page shows below it."""
    text = path.read_text(encoding="utf-8")
    found = list(_FENCE.finditer(text))
    page = path.relative_to(ROOT).as_posix()
    blocks = []
    for fence, after in zip(found, [*found[1:], None], strict=False):
        below = after is not None and not text[fence.end() : after.start()].strip()
        expected = None
        if below and after is not None and after["language"] == "text":
            expected = after["code"]
        line = text.count("\n", 0, fence.start()) + 1
        language = fence["language"].split(" ")[0]
        blocks.append(Block(page, line, language, fence["code"], expected))
    return blocks


def commands_of(block: Block) -> list[str]:
    """The commands of a block of sh or console, lines that go on joined."""
    code = block.code
    if block.language == "console":
        code = "\n".join(line[2:] for line in code.splitlines() if line.startswith("$ "))
    lines = code.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


def differs(expected: str, printed: str) -> str:
    """What is wrong with what was printed; empty where it is as expected."""
    pattern, numbers = "", []
    for part in re.split(rf"(…|{_NUMBER}|\s+)", expected.strip()):
        if part == "…":
            pattern += ".*?"
        elif part and re.fullmatch(_NUMBER, part):
            pattern += f"({_NUMBER})"
            numbers.append(_number(part))
        else:
            pattern += r"\s+" if part and part.isspace() else re.escape(part)
    match = re.fullmatch(pattern, printed.strip(), re.DOTALL)
    if match is None:
        return f"The page says:\n{expected.strip()}\nIt printed:\n{printed.strip()}"
    for wanted, text in zip(numbers, match.groups(), strict=True):
        if abs(_number(text) - wanted) > _TOLERANCE * abs(wanted):
            return f"The page says {wanted:g}, it printed {text}:\n{printed.strip()}"
    return ""


def _number(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


@dataclass
class Session:
    """Runs the blocks of one page in a folder of its own."""

    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "page"})

    def __post_init__(self) -> None:
        self._environment = os.environ | {
            "PATH": f"{self.folder / _COMMANDS}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "SVAE_HOME": str(self.folder / ".home"),
            "COLUMNS": "100",
        }

    def run(self, block: Block) -> None:
        """Execute one block; AssertionError where it fails or prints something else."""
        where = f"{block.page}, line {block.line}"
        if block.language == "python":
            printed = self._python(block, where)
        elif block.language == "sh":
            printed = self._shell(block.code, where)
        else:
            for command, expected in _dialogue(block.code):
                found = differs(expected, self._shell(command, where))
                assert not found, f"{where}: {command}\n{found}"
            return
        if block.expected is not None:
            found = differs(block.expected, printed)
            assert not found, f"{where}\n{found}"

    def _python(self, block: Block, where: str) -> str:
        printed = io.StringIO()
        tree = ast.parse(block.code)  # for a SyntaxError with the page's own line
        ast.increment_lineno(tree, block.line)
        with contextlib.redirect_stdout(printed), contextlib.chdir(self.folder):
            exec(compile(tree, where, "exec", dont_inherit=True), self.names)
        return printed.getvalue()

    def _shell(self, code: str, where: str) -> str:
        code = _NEWEST + re.sub(r"\bRUN\b", '"$(newest)"', code)
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", code],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{where}\n{code}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@contextlib.contextmanager
def session_in(folder: Path) -> Iterator[Session]:
    """A session whose commands are there while it lasts."""
    (folder / _COMMANDS).mkdir()
    with commands_in(folder / _COMMANDS):
        yield Session(folder)


def run_page(path: Path, folder: Path) -> None:
    """Run all blocks of a page in order, in this folder, but those that are marked."""
    with session_in(folder) as session:
        for block in blocks_of(path):
            if block.language != "text" and not block.mark:
                session.run(block)


def _dialogue(code: str) -> list[tuple[str, str]]:
    """Commands of a console block, each with what it prints."""
    parts = re.split(r"^\$ ", code, flags=re.M)[1:]
    return [(part.split("\n", 1)[0], part.partition("\n")[2]) for part in parts]
