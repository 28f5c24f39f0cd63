"""Damaged and made-up files: taken or refused in one sentence, nothing else; a small sample.

tests/benchmarks/bench_fuzz.py does the same for more than ten thousand.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from support.hostile_files import HEADERS, TEXTS, ZIPS, corpus, damaged, outcome

SMALL = [specimen for specimen in corpus() if len(specimen.content) < 20_000]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_damaged_files(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(40):
        first, second = (SMALL[int(rng.integers(0, len(SMALL)))] for _ in range(2))
        content = damaged(first.content, second.content, rng)
        outcome(first.name, content, Path(tempfile.mkdtemp(dir=tmp_path)))


def _try(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outcome(name, content, Path(folder))


@pytest.mark.slow
@given(TEXTS)
def test_text_of_any_kind(content: bytes) -> None:
    _try("made.csv", content)


@pytest.mark.slow
@given(HEADERS)
def test_arrays_that_claim_anything(content: bytes) -> None:
    _try("made.npy", content)


@pytest.mark.slow
@given(ZIPS)
def test_archives_of_anything(content: bytes) -> None:
    _try("made.zip", content)
