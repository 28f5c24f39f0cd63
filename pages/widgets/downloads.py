"""Buttons that download files which are made when they are fetched."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.delta_generator import DeltaGenerator

from pages.server.current import server
from pages.server.offered_files import OfferedFile
from pages.visitor import session
from pages.wire import routes
from svae_core.runs.manifest import new_id


def download_link(
    place: DeltaGenerator, label: str, name: str, media_type: str, make: Callable[[], str]
) -> None:
    """A button that downloads the file of this name; its address stays while the visitor stays."""
    key, _ = session.once(f"offered.{name}", new_id)
    server().offered.put(key, OfferedFile(name, media_type, make))
    place.link_button(label, routes.offered_path(key))
