"""What comes with us: everything the requirements pull in may be passed on beside an MIT licence.

Known vulnerabilities change by the day and are looked up on the network: `make audit`.
"""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
FILES = ("requirements.txt", "requirements-cluster.txt")
#: Permissive licences, and MPL 2.0, which asks for the source of its own files only.
FREE = re.compile(r"\b(MIT|BSD|0BSD|Apache|Python Software Foundation|PSF|Zlib|CC0|BSL|MPL)\b")
STRICT = re.compile(r"\b(A?GPL|LGPL|GNU|SSPL|BUSL|proprietary|non-?commercial)\b", re.I)


def packages(files: tuple[str, ...] = FILES) -> dict[str, str]:
    """Licence by name of every installed package that the requirements lead to."""
    found: dict[str, str] = {}
    waiting = [Requirement(line) for name in files for line in _lines(ROOT / name)]
    direct = {canonicalize_name(requirement.name) for requirement in waiting}
    while waiting:
        name = canonicalize_name(waiting.pop().name)
        if name in found:
            continue
        try:
            about = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            # Unpinned ones may be for another system; a pinned one has to be here.
            assert name not in direct, f"{name} is not installed"
            continue
        found[name] = _licence(about.metadata)
        for text in about.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement)
    return found


def _lines(path: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def _licence(metadata: importlib.metadata.PackageMetadata) -> str:
    """As its package says it: an SPDX expression, a classifier, or the first words of a text."""
    said = metadata.get_all("License-Expression") or metadata.get_all("Classifier") or []
    named = [text for text in said if not text.count("::") or text.startswith("License")]
    return "; ".join([*named, *(text[:60] for text in metadata.get_all("License") or [])])


@pytest.mark.parametrize(("name", "licence"), sorted(packages().items()))
def test_its_licence_allows_to_pass_it_on(name: str, licence: str) -> None:
    assert FREE.search(licence), f"{name} says of its licence: {licence or 'nothing'}"
    assert not STRICT.search(licence), f"{name} says of its licence: {licence}"


def test_what_is_required_directly_is_pinned() -> None:
    for name in (*FILES, "tests/requirements.txt", "docs/requirements.txt"):
        for line in _lines(ROOT / name):
            assert line.startswith("-r ") or re.fullmatch(r"[\w.-]+==[\w.]+", line), line


# ------------------------------------------------------------------------------- the locks

LOCKS = ("requirements.lock", "requirements-torch.lock")


def locked(name: str) -> dict[str, list[str]]:
    """Versions by package of a lock; several where they depend on the Python."""
    found: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=\w)", (ROOT / name).read_text().strip()):
        head, *hashes = block.split(" \\\n")
        requirement = Requirement(head)
        (pin,) = requirement.specifier
        assert pin.operator == "==" and hashes, f"{head} is not pinned by hashes"
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", one) for one in hashes), head
        found.setdefault(canonicalize_name(requirement.name), []).append(pin.version)
    return found


def test_the_locks_have_all_that_requirements_lead_to() -> None:
    """`make lock` writes them anew after a change of requirements.txt."""
    with_torch = locked("requirements-torch.lock")
    rest = locked("requirements.lock")
    assert not with_torch.keys() & rest.keys() and "torch" in with_torch
    both = with_torch | rest
    for line in _lines(ROOT / "requirements.txt"):
        requirement = Requirement(line)
        (pin,) = requirement.specifier
        assert both[canonicalize_name(requirement.name)] == [pin.version], line
    needed = packages(("requirements.txt",))
    assert not needed.keys() - both.keys()


def test_the_locks_name_no_addresses() -> None:
    for name in LOCKS:
        text = (ROOT / name).read_text()
        assert "://" not in text and "index-url" not in text
