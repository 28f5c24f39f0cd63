"""Shares are said in one form by all doors: "58 %"."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from svae_core.config.shares import at_least, percent

ROOT = Path(__file__).parents[1]
#: A share that is formatted otherwise: by Python's own %, by d3's or Streamlit's, or by hand.
OTHERWISE = re.compile(r":\.\d+%\}|\"\.\d+%\"|\"percent\"|\{100 \* [^{}]+\} %|[\d}]%[^\w({}\]|]")


@pytest.mark.parametrize(
    ("share", "form", "said"),
    [(0.58, ".0f", "58 %"), (0.999, ".1f", "99.9 %"), (1e-4, ".3g", "0.01 %"), (0, ".0f", "0 %")],
)
def test_a_share_in_per_cent(share: float, form: str, said: str) -> None:
    assert percent(share, form) == said


@pytest.mark.parametrize(
    ("nats", "said"),
    [(0.996, "0.99"), (0.29, "0.29"), (1.0, "1.00"), (0.0, "0.00"), (12.34, "12.34")],
)
def test_a_floor_is_never_said_to_be_more_than_it_is(nats: float, said: str) -> None:
    assert at_least(nats) == said
    assert at_least(nats, 1) == said[:-1] or float(at_least(nats, 1)) <= nats


def test_no_code_says_a_share_otherwise() -> None:
    found = []
    for folder in ("svae_core", "pages"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                styles = re.search(r"width|height|transparent|flex-basis", line)
                if OTHERWISE.search(line) and not styles and path.name != "shares.py":
                    found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []
