"""Every block of code on the pages of docs/ is run as it stands, and prints what the page shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.doc_blocks import PAGES, run_page


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.name)
def test_every_block_of_a_page_runs(page: Path, tmp_path: Path, home: Path) -> None:
    run_page(page, tmp_path)
