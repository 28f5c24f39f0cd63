"""app.py: what holds for a server before anyone visits it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# What Streamlit does around every run of a session's script, in a process of its own.
AROUND_A_SESSION = """
import sys

import app
from streamlit.runtime.scriptrunner.exec_code import modified_sys_path

before = list(sys.path)
with modified_sys_path(str(app.SCRIPT)):
    assert sys.path == before, "put on when a session begins"
assert sys.path == before, "taken off when it ends"
"""


@pytest.mark.slow
def test_no_session_changes_where_modules_are_found() -> None:
    """Thirty sessions begin at once; one that ends must not hide modules from the others."""
    done = subprocess.run(
        [sys.executable, "-c", AROUND_A_SESSION], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
