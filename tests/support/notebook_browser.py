"""What arrives in a notebook's browser: messages, and the widget's state."""

from __future__ import annotations

from typing import Any

from svae_core.notebook.post import Post
from svae_core.stage import replay_file
from svae_core.stage.framing import decode


class Browser:
    """The browser of a run that is watched."""

    def __init__(self, watched: Any) -> None:
        self.messages: list[dict[str, Any]] = []
        self.state = b""
        self.post = Post(watched, self.send, self.keep)

    def send(self, messages: list[bytes]) -> None:
        self.messages += [decode(message)[0] for message in messages]

    def keep(self, state: bytes) -> None:
        self.state = state

    @property
    def kept(self) -> list[dict[str, Any]]:
        return replay_file.unpack(self.state)[0]["moments"]
