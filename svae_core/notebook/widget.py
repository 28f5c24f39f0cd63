"""The stage as a widget, by the standard of anywidget: JupyterLab, marimo; untried: VS Code, Colab.

The browser's code, Plotly.js and the run so far are the widget's state, so that it needs no network
and, where a notebook keeps the state of widgets, no kernel. JupyterLab keeps none unless it is told
to; there the whole run is written into the cell's output when it is over, as the page that plays
anywhere, and the widget's stage stands in its place as long as there is a kernel.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import secrets
import sys
from collections.abc import Callable
from functools import cache
from html import escape
from typing import Any

import anywidget
import traitlets

from svae_core.notebook.post import Post, Watched
from svae_core.notebook.saved import Saved
from svae_core.records import RequestError
from svae_core.stage import browser_code, replay_file

_WIDGET = "notebook/widget.js"


@cache
def _code() -> dict[str, bytes]:
    return browser_code.read(browser_code.folder())


@cache
def _packed_code() -> bytes:
    sources = {name: text.decode() for name, text in _code().items() if name.endswith(".js")}
    return gzip.compress(json.dumps(sources).encode(), 9, mtime=0)


@cache
def _packed_plotly() -> bytes:
    return gzip.compress(browser_code.plotly(), 9, mtime=0)


class StageWidget(anywidget.AnyWidget):
    """The stage of one run; made by `svae_core.notebook.watch.watch`."""

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    _id = traitlets.Unicode().tag(sync=True)
    _version = traitlets.Unicode().tag(sync=True)
    _code = traitlets.Bytes().tag(sync=True)
    _plotly = traitlets.Bytes().tag(sync=True)
    _run = traitlets.Bytes().tag(sync=True)

    def __init__(self, watched: Watched) -> None:
        super().__init__(
            _esm=_code()[_WIDGET].decode(),
            _css=replay_file.style(_code()),
            _id=secrets.token_hex(8),
            _version=browser_code.version(_code()),
            _code=_packed_code(),
            _plotly=_packed_plotly(),
            _run=b"",
        )
        self.watched = watched
        self._display: Any = None  # of IPython, once the widget was shown by it
        self._loop = _running_loop()
        self._post = Post(watched, self._push, self._keep)
        self.on_msg(self._hear)
        self._look_again(0.0)

    def train(self) -> None:
        """Train the run that was given as settings, or as an estimator with its points.

        In Jupyter the stage is shown first, unless it is shown already.
        """
        if self._display is None and "ipykernel" in sys.modules:
            self._ipython_display_()
        train = getattr(self.watched, "train", None)
        if train is None:
            raise RequestError("Only a run that was given as settings, or a fitted model, trains.")
        train()

    def page(self) -> str:
        """The run so far as the HTML file that plays anywhere."""
        run = self.watched.run
        assert run is not None
        title = replay_file.title_of(run.prepared)
        return replay_file.page(title, self._run, _code(), browser_code.plotly())

    # -------------------------------------------------------------------- to the browser

    def _push(self, messages: list[bytes]) -> None:
        self.send({"kind": "svae"}, messages)
        self._let_questions_in()

    def _keep(self, packed: bytes) -> None:
        self._run = packed
        self._let_questions_in()
        if self._display is not None and self._post.over:
            self._display.update(self._saved_output(), raw=True)

    def _let_questions_in(self) -> None:
        """Have questions come in the thread that JupyterLab asks for, beside a loop that trains.

        ipykernel 7.4 turns what comes for a comm to the shell that sent last. That is the loop's,
        so that no question would arrive before the loop is over. Others lack the attribute.
        """
        getattr(self.comm, "__dict__", {}).pop("_reply_subshell_id", None)

    def _hear(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if isinstance(content, dict) and "follow" in content:
            self._post.ask(content, self._later)

    def _later(self, answer: Callable[[], None]) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(answer)

    def _look_again(self, seconds: float | None) -> None:
        """Look later at a run that another process trains; None: it is over."""
        if seconds is not None and self._loop is not None and isinstance(self.watched, Saved):
            self._loop.call_later(seconds, self._look, self.watched)

    def _look(self, saved: Saved) -> None:
        if self.comm is not None:  # the widget was not closed
            self._look_again(saved.look())

    # ----------------------------------------------------------------------- below a cell

    def _ipython_display_(self, **_look: Any) -> None:
        """Show the widget; of a run that is over, at once what the notebook is to keep."""
        from IPython.display import display

        over = self._post.over and "google.colab" not in sys.modules
        shown = self._saved_output() if over else self._live_output()
        self._display = display(shown, raw=True, display_id=True)
        if "google.colab" in sys.modules:  # which keeps the state of widgets, and frames outputs
            self._display = None

    def _live_output(self) -> dict[str, Any]:
        # Wherever widgets are not shown, the sentence is.
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {"application/vnd.jupyter.widget-view+json": view, "text/plain": self._sentence()}

    def _saved_output(self) -> dict[str, str]:
        frame = replay_file.frame_around(self.page(), "A run on the stage")
        style = "<style>[data-svae][data-live] > iframe { display: none; }</style>"
        return {
            "text/html": f'{style}<div data-svae="{escape(self._id)}">{frame}</div>',
            "text/plain": self._sentence(),
        }

    def _sentence(self) -> str:
        run = self.watched.run
        return "The stage: " + (run.sentence if run else "nothing has been measured yet.")


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop of this kernel, which runs what is put off while no cell does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
