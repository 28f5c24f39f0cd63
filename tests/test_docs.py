"""The README and the pages of docs/: blocks of code keep their form, every link leads somewhere.

`support.doc_blocks` says how blocks are written and run; test_docs_pages.py and test_readme.py run
them. Links of the built site, with its generated pages, are checked by `make docs`.
"""

from __future__ import annotations

import importlib.util
import itertools
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from support.doc_blocks import (
    LANGUAGES,
    MARKS,
    PAGES,
    ROOT,
    Block,
    blocks_of,
    commands_of,
    differs,
    session_in,
)

from svae_core.__main__ import _parser
from svae_core.stage.replay_file import embedding

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
#: Programs of the system that marked blocks call; their own words are not ours to check.
SYSTEM = {
    *("cd", "cp", "git", "systemctl", "journalctl", "docker", "dask", "export", ".", "python3"),
    "jupyter",
}
_TARGETS = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text("utf-8"), re.M))
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --------------------------------------------------------------------------------- blocks


def test_blocks_name_their_language() -> None:
    assert len(BLOCKS) > 50
    wrong = [block for block in BLOCKS if block.language not in LANGUAGES]
    assert not [f"{block.page}, line {block.line}: {block.language!r}" for block in wrong]
    assert {block.mark for block in BLOCKS} == {"", *MARKS}


def test_commands_of_ours_take_these_options() -> None:
    """Also where they are not executed, since they would serve or install."""
    seen, parser = 0, _parser()
    for block in BLOCKS:
        for command in commands_of(block) if block.language in ("sh", "console") else ():
            words = _words(command)
            if words[:3] == ["python", "-m", "svae_core"]:
                words = ["svae", *words[3:]]
            if words[:1] == ["svae"] and words[1:] != ["--version"]:
                parser.parse_args([word for word in words[1:] if word != "…"])
                seen += 1
    assert seen > 30


def test_the_line_that_embeds_a_run_is_what_export_prints() -> None:
    line = embedding("run.html")
    pages = [page.name for page in PAGES if line in page.read_text("utf-8")]
    assert pages == ["README.md", "researcher.md"]


def test_every_variable_of_the_program_is_documented() -> None:
    files = [ROOT / "app.py", *(ROOT / "svae_core").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
    found = re.compile(r"\bSVAE_[A-Z]+(?:_[A-Z]+)*\b")
    used = {name for path in files for name in found.findall(path.read_text("utf-8"))}
    assert len(used) > 8
    assert used <= {name for page in PAGES for name in found.findall(page.read_text("utf-8"))}


def test_what_is_not_executed_is_there() -> None:
    """Blocks that install or serve: their files, extras, targets and options exist."""
    marked = [block for block in BLOCKS if block.mark]
    assert len(marked) > 5
    for block in marked:
        for command in commands_of(block):
            found = _unknown_in(_words(command))
            assert not found, f"{block.page}, line {block.line}: {command}: {found}"


def _words(command: str) -> list[str]:
    words = shlex.split(command, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words


def _unknown_in(words: list[str]) -> str:
    program = Path(words[0]).name or words[0]  # "." has no name
    if program == "make":
        return "" if set(words[1:]) <= _TARGETS else "no such target"
    if program == "pip":
        files = [after for option, after in itertools.pairwise(words) if option == "-r"]
        missing = [file for file in files if not (ROOT / file).exists()]
        extras = [name for word in words for name in re.findall(r"[\w-]+", word.partition("[")[2])]
        missing += [name for name in extras if name not in _PROJECT["optional-dependencies"]]
        return ", ".join(missing)
    if program == "streamlit":
        from streamlit import config

        assert words[1] == "run" and (ROOT / words[2]).exists()
        for word in words[3:]:
            if word.startswith("--"):
                config.get_option(word[2:].partition("=")[0])  # raises where there is none
        return ""
    if program in SYSTEM:
        ours = [word for word in words if re.match(r"(docs|assets|tests|pages)/", word)]
        return ", ".join(word for word in ours if not (ROOT / word).exists())
    return "" if program in ("svae", "python") else f"{program} is no program that we know"


# ------------------------------------------------------------------------------ the runner


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("loss 0.50", "loss 0.51", True),
        ("loss 0.50", "loss 0.56", False),
        ("loss …, KL 2", "loss what you like, KL 2", True),
        ("loss …, KL 2", "loss 1, KL 3", False),
        ("a\nb", "a  b", True),
        ("a", "a\nb", False),
        ("1,797 points", "1,797 points", True),
        ("1,797 points", "1,097 points", False),
        ("at -999", "at 999", False),
    ],
)
def test_outputs_are_compared_by_words_and_numbers(expected: str, printed: str, same: bool) -> None:
    assert (differs(expected, printed) == "") is same


@pytest.mark.parametrize(
    ("language", "code"),
    [("python", "1 / 0"), ("sh", "false"), ("console", "$ echo 1\n2\n")],
)
def test_a_block_that_fails_is_seen(language: str, code: str, tmp_path: Path) -> None:
    block = Block("page.md", 1, language, code)
    with session_in(tmp_path) as session, pytest.raises((AssertionError, ZeroDivisionError)):
        session.run(block)


# ----------------------------------------------------------------------------------- links


def _headings(path: Path) -> set[str]:
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.S)
    titles = re.findall(r"^#+ (.*)$", text, re.M)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", title).lower() for title in titles]
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", title).strip()) for title in plain}


#: Pages that `make docs` makes from the code.
MADE = {"commands.md", "methods.md", "datasets.md", "findings.md"}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=named)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.S)
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    for link in links:
        if "://" in link:
            continue
        name, _, heading = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if target.parent == ROOT / "docs" and target.name in MADE:
            continue
        assert target.exists(), f"{named(page)} links to {link}"
        if heading and target.suffix == ".md" and not heading.startswith("svae_core."):
            assert heading in _headings(target), f"{named(page)} links to {link}"


def test_the_output_of_every_finding_keeps_its_lines_on_the_page() -> None:
    where = ROOT / "docs" / "site" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate", where)
    assert spec and spec.loader
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    fenced = "\n".join(re.findall(r"```.*?```", generate.findings_page(), re.S)).splitlines()
    for path in sorted((ROOT / "findings").glob("*.sh")):
        _, _, seen = path.read_text("utf-8").partition("# Output seen")
        output = [line[1:].strip() for line in seen.partition("\n#\n")[0].splitlines()[1:]]
        assert output and set(output) <= set(fenced), path.name
