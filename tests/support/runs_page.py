"""The Runs page as a visitor opens it, and two visitors."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from svae_core.runs.manifest import new_id

_ROUTER = str(Path(__file__).parents[2] / "pages" / "router.py")
MINE, THEIRS = new_id(), new_id()


def opened(*picked: Path, **query: str) -> AppTest:
    """A visitor who opens the page, with these runs picked."""
    app = AppTest.from_file(_ROUTER, default_timeout=300)
    app.switch_page("runs.py")
    app.query_params["pick"] = ",".join(folder.name for folder in picked)
    for name, text in query.items():
        app.query_params[name] = text
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def press(app: AppTest, label: str) -> None:
    (button,) = (one for one in app.button if one.label.startswith(label))
    button.click().run()
    assert not app.exception, app.exception[0].message


def runs_in(app: AppTest) -> list[str]:
    return list(app.dataframe[0].value["Run"]) if app.dataframe else []
