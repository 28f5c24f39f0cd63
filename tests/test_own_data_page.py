"""A file of one's own on the Shell page, run by Streamlit's AppTest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from support.screens import resolved, widget

from pages.server.current import Server, serving
from pages.visitor import session
from svae_core.compute import tasks
from svae_core.own_data import kept
from svae_core.own_data.read_by_format import read_table
from svae_core.problem import prepare
from svae_core.records import Settings

_ROUTER = str(Path(__file__).parents[1] / "pages" / "router.py")
_ROWS = [f"{i * 0.37 % 1:.3f},{i * 0.71 % 1:.3f},{i % 3},{'uv'[i % 2]}" for i in range(40)]
_FILE = "\n".join(["a,b,c,sort", "NA,1,1,u", *_ROWS]).encode()


class _Engine:
    """Works at once, in this process."""

    cluster_lost = ""

    def submit(self, task: Callable[..., Any], *arguments: Any, **_how: Any) -> Future[Any]:
        """Without the cache of the workers: a file that is gone is gone."""
        return resolved(lambda: (prepare if task is tasks.prepare else task)(*arguments))


@pytest.fixture(autouse=True)
def _server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(kept, "read_apart", read_table)
    monkeypatch.setenv("SVAE_HOME", str(tmp_path))
    with serving(Server(_Engine)):  # type: ignore[arg-type]
        yield


def _open(page: str = "shell", **query: str) -> AppTest:
    app = AppTest.from_file(_ROUTER, default_timeout=300)
    app.switch_page(f"{page}.py")
    for name, text in {"dataset": "file", "clusters": "3", **query}.items():
        app.query_params[name] = text
    return _quiet(app.run())


def _quiet(app: AppTest) -> AppTest:
    assert not app.exception, app.exception[0].message
    return app


def _said(app: AppTest) -> str:
    return " ".join(text.value for text in app.markdown)


def _key(app: AppTest) -> str:
    value = app.query_params["file.key"]
    return value if isinstance(value, str) else value[-1]


@pytest.mark.slow
def test_an_upload_is_shown_chosen_from_and_found_again_by_its_address() -> None:
    app = _open()
    assert "Your file" in app.info[0].value
    _quiet(app.file_uploader[0].upload("my.csv", _FILE, "text/csv").run())
    assert not app.error
    assert app.subheader[0].value == "my.csv, on the shell"
    assert "1 of 41 rows were dropped" in _said(app)
    assert widget(app.selectbox, "file.label").value == "auto"

    _quiet(widget(app.selectbox, "file.missing").set_value("mean").run())
    assert "replaced" in _said(app)
    _quiet(widget(app.multiselect, "file.features").set_value(["a", "b"]).run())
    assert app.query_params["file.features"] in ("a,b", ["a,b"])
    _quiet(widget(app.selectbox, "file.label").set_value("c").run())
    assert "The label is c" in _said(app)

    again = _open(**{"file.key": _key(app), "file.label": "none"})
    assert not again.error
    assert again.subheader[0].value == "my.csv, on the shell"
    assert "The label is" not in _said(again)


@pytest.mark.slow
def test_the_clinic_asks_whether_other_code_standardises_too() -> None:
    app = AppTest.from_file(_ROUTER, default_timeout=300).switch_page("clinic.py")
    app.query_params["dataset"] = "file"
    _quiet(app.run())
    (file,) = (item for item in app.file_uploader if item.proto.label == "Your file")
    _quiet(file.upload("my.csv", _FILE, "text/csv").run())
    gauge = {metric.label: metric.value for metric in app.metric}["Gauge"]
    (answer,) = (button for button in app.button if button.label == "Take them as they are")
    _quiet(answer.click().run())
    assert widget(app.selectbox, "file.standardise").value == "no"
    assert {metric.label: metric.value for metric in app.metric}["Gauge"] != gauge
    assert "Take them as they are" not in [button.label for button in app.button]


@pytest.mark.slow
@pytest.mark.parametrize("then", ["button", "widget"])
def test_a_move_outlasts_the_click_that_stops_its_script(
    then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a page with two groups of controls, before the second of them is kept."""
    app = _open("region")
    _quiet(app.file_uploader[0].upload("my.csv", _FILE, "text/csv").run())
    keep, kept_so_far = session.keep, []

    def stopped(chosen: Settings) -> Settings:
        kept_so_far.append(chosen)
        if len(kept_so_far) == 2:
            st.stop()
        return keep(chosen)

    with monkeypatch.context() as patch:
        patch.setattr(session, "keep", stopped)
        _quiet(widget(app.toggle, "lower_edge").set_value(False).run())
    assert len(kept_so_far) == 2 and "lower_edge" not in app.query_params
    if then == "button":
        _quiet(next(one for one in app.button if one.label == "Leave out").click().run())
        assert "file.without" in app.query_params
    else:
        _quiet(widget(app.number_input, "clusters").set_value(4).run())
    assert "lower_edge" in app.query_params


@pytest.mark.slow
def test_another_visitor_sees_nothing_of_it() -> None:
    mine = _open()
    _quiet(mine.file_uploader[0].upload("my.csv", _FILE, "text/csv").run())
    theirs = _open()
    assert "Your file" in theirs.info[0].value
    assert "my.csv" not in str(theirs)


@pytest.mark.slow
def test_a_file_that_cannot_be_used_is_refused_and_changes_nothing() -> None:
    app = _open()
    _quiet(app.file_uploader[0].upload("my.csv", _FILE, "text/csv").run())
    key = _key(app)
    _quiet(app.file_uploader[0].upload("other.csv", b"\0\1", "text/csv").run())
    assert app.error[0].value.startswith("other.csv: The file is neither a text table")
    assert _key(app) == key


@pytest.mark.slow
def test_a_link_whose_data_are_gone_says_so_and_works_again_with_the_same_file() -> None:
    app = _open()
    _quiet(app.file_uploader[0].upload("my.csv", _FILE, "text/csv").run())
    key = _key(app)[:17] + "0" * 24  # as made on another server
    gone = _open(**{"file.key": key})
    assert "again" in gone.error[0].value
    _quiet(gone.file_uploader[0].upload("my.csv", _FILE, "text/csv").run())
    assert not gone.error
    assert _key(gone) == key


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", ["shell", "region", "train", "latent", "compare", "phase", "theory"]
)
def test_before_any_upload_a_page_asks_for_the_file_and_complains_of_nothing(page: str) -> None:
    app = AppTest.from_file(_ROUTER, default_timeout=300)
    app.switch_page(f"{page}.py")
    app.query_params["dataset"] = "file"
    _quiet(app.run())
    assert not app.error and not app.warning
    assert ["Your file" in info.value for info in app.info] == [True]
    assert any(uploader.proto.label == "Your file" for uploader in app.get("file_uploader"))


_WRONG = "\n".join(
    [
        "when,a,b,label",
        *(
            f"{1_600_000_000 + 60 * i},{i * 37 % 11},{-999 if i == 7 else i * 71 % 13},{i % 4}"
            for i in range(60)
        ),
    ]
).encode()


@pytest.mark.slow
def test_each_suspicion_has_a_button_and_what_it_chose_can_be_undone() -> None:
    app = _open(clusters="10")
    _quiet(app.file_uploader[0].upload("wrong.csv", _WRONG, "text/csv").run())
    assert app.query_params["clusters"] in ("4", ["4"]), "K starts at the number of classes"
    warned = _said(app)
    assert "time stamp: when" in warned and "-999 lies far" in warned.replace("\\", "")
    buttons = {button.label: button for button in app.button}
    _quiet(buttons["Leave out when"].click().run())
    assert "time stamp" not in _said(app)
    assert widget(app.multiselect, "file.without").value == ["when"]
    buttons = {button.label.replace("\\", ""): button for button in app.button}
    _quiet(buttons["Take -999 for missing"].click().run())
    assert "1 of 60 rows were dropped" in _said(app)
    assert widget(app.text_input, "file.absent").value == "-999"
    _quiet(widget(app.multiselect, "file.without").set_value([]).run())
    assert "time stamp: when" in _said(app)


@pytest.mark.slow
def test_nothing_below_an_upload_moves_when_it_was_read() -> None:
    app = _open()

    def below() -> list[str]:
        kinds = [app.sidebar.children[at].type for at in sorted(app.sidebar.children)]
        return kinds[kinds.index("file_uploader") :]

    _quiet(app.file_uploader[0].upload("my.csv", _FILE, "text/csv").run())
    first = below()
    _quiet(app.run())
    assert below() == first


@pytest.mark.slow
def test_k_starts_anew_with_each_file_until_it_is_chosen() -> None:
    app = _open(clusters="10")
    words = [("flu", "cold", "none")[i % 3] for i in range(60)]
    rows = [f"{i * 37 % 11},{i * 71 % 13},{word}" for i, word in enumerate(words)]
    first = "\n".join(["a,b,diagnosis", *rows]).encode()
    _quiet(app.file_uploader[0].upload("first.csv", first, "text/csv").run())
    assert widget(app.number_input, "clusters").value == 2
    told = _said(app) + " ".join(caption.value for caption in app.caption)
    assert "with 2 classes, 20 rows without, kept out" in told, "as K counts them"
    assert "20 points have no label: an empty cell, a word for one" in told.replace("\\", "")
    _quiet(app.file_uploader[0].upload("second.csv", _WRONG, "text/csv").run())
    assert widget(app.number_input, "clusters").value == 4, "of the second file"
    _quiet(widget(app.number_input, "clusters").set_value(7).run())
    _quiet(app.file_uploader[0].upload("first.csv", first, "text/csv").run())
    assert widget(app.number_input, "clusters").value == 7, "what was chosen stays"


@pytest.mark.slow
def test_a_column_is_corrected_by_one_click() -> None:
    app = _open()
    _quiet(app.file_uploader[0].upload("my.csv", _FILE, "text/csv").run())
    _quiet(widget(app.selectbox, "file.column").set_value("c").run())
    _quiet(app.button(key="file.use.Use as label").click().run())
    assert widget(app.selectbox, "file.label").value == "c"
    assert "The label is c" in _said(app)
    _quiet(widget(app.selectbox, "file.column").set_value("a").run())
    _quiet(app.button(key="file.use.Take logarithms").click().run())
    assert "log(1 + x) was taken of a" in _said(app)


@pytest.mark.slow
def test_rows_lost_to_gaps_and_a_column_that_may_be_the_label_are_asked_about() -> None:
    app = _open()
    rows = [f"s{i},{'uv'[i % 2]},{i * 0.37 % 1:.3f},{i * 0.71 % 1:.3f}" for i in range(40)]
    content = "\n".join(["sample,tissue,a,b", "s,u,NA,1", *rows]).encode()
    _quiet(app.file_uploader[0].upload("my.csv", content, "text/csv").run())
    for answer in ("Fill in the column's mean", "tissue is the label"):
        (button,) = (one for one in app.button if one.label == answer)
        _quiet(button.click().run())
        assert answer not in [one.label for one in app.button]
    assert widget(app.selectbox, "file.missing").value == "mean"
    assert widget(app.selectbox, "file.label").value == "tissue"


@pytest.mark.slow
def test_a_second_file_gives_the_labels() -> None:
    app = _open()
    _quiet(app.file_uploader[0].upload("my.csv", b"x,y\n1,2\n3,1\n2,7\n5,5\n", "text/csv").run())
    second = next(one for one in app.file_uploader if one.proto.label == "Labels or metadata")
    _quiet(second.upload("kinds.txt", b"u\nv\nu\nv\n", "text/plain").run())
    assert "joined by order: 4 rows in both files" in _said(app)
    wrong = next(one for one in app.file_uploader if one.proto.label == "Labels or metadata")
    _quiet(wrong.upload("few.txt", b"u\nv\n", "text/plain").run())
    assert "has 4 rows and few.txt has 2" in app.error[0].value


@pytest.mark.slow
def test_which_are_the_points_is_asked_where_nothing_tells_and_the_answer_is_taken() -> None:
    entries = [(i + 1, j + 1, (i * 7 + j * 3) % 5 + 1) for i in range(24) for j in range(8)]
    lines = ["%%MatrixMarket matrix coordinate integer general", f"24 8 {len(entries)}"]
    content = "\n".join([*lines, *(f"{i} {j} {value}" for i, j, value in entries)]).encode()
    app = _open()
    _quiet(app.file_uploader[0].upload("counts.mtx", content, "text/plain").run())
    asked = [warning.value for warning in app.warning if "which are the points" in warning.value]
    assert len(asked) == 1 and "24 rows" in asked[0]
    assert widget(app.radio, "file.turned").value is None
    _quiet(widget(app.radio, "file.turned").set_value("Rows").run())
    assert not any("which are the points" in warning.value for warning in app.warning)
    assert (
        widget(app.radio, "file.turned").value == "Rows" and "file.turned" not in app.query_params
    )
    _quiet(widget(app.radio, "file.turned").set_value("Columns").run())
    assert app.query_params["file.turned"] and widget(app.radio, "file.turned").value == "Columns"
    assert "8 rows of 24 numbers" in " ".join(caption.value for caption in app.caption)
