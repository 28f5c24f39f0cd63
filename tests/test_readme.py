"""The README's Python is run as it stands."""

import re
from pathlib import Path

import pytest

from svae_core.own_data.formats import formats

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_python_in_the_readme_runs(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    if "print(" in code:
        assert capsys.readouterr().out.startswith("Certified")


def test_there_is_something_to_run() -> None:
    assert len(BLOCKS) >= 2


def test_every_format_of_own_data_is_listed() -> None:
    text = README.read_text(encoding="utf-8")
    names = [item.name for item in formats() if item.endings]
    assert names and not [name for name in names if name not in text]
