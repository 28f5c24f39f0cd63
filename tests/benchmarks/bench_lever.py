"""Show 4 of issue 21: from a moved lever to changed training, and to the first changed picture.

    PYTHONPATH=. python tests/benchmarks/bench_lever.py > tests/benchmarks/lever.md

Headless Chromium. A pair on digits trains for 75,000 steps; where nothing changes, its frames lie
400 steps apart. β is moved back and forth while it plays. Training has changed when a message
from the server tells of the change; the picture when the stage shows a moment trained under it.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from machine import about
from playwright.sync_api import Page, WebSocket
from students import server

from pages.wire.messages import decode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.browser import chromium

MOVES = 20
BETWEEN = 2500  # milliseconds
WAIT = 180_000
# Notes in every animation frame which step is drawn, and when.
WATCH = """() => {
  window.drawn = [];
  const look = () => {
    const step = Number(/step (\\d+)/.exec(document.querySelector(".svae-clock").textContent)?.[1]);
    if (step !== window.drawn.at(-1)?.[1]) {
      window.drawn.push([performance.timeOrigin + performance.now(), step]);
    }
    requestAnimationFrame(look);
  };
  look();
}"""
# Moves β; gives when.
MOVE = """(beta) => {
  const field = document.querySelector(".svae-beta input[type=number]");
  field.value = String(beta);
  field.dispatchEvent(new Event("change"));
  return performance.timeOrigin + performance.now();
}"""


def main() -> None:
    """Print the table."""
    with chromium() as browser, server() as (address, _):
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.set_default_timeout(WAIT)
        told: dict[str, float] = {}  # by change in words, when a message first told of it
        page.on("websocket", lambda socket: listen(socket, told))
        page.goto(f"http://{address}/train?epochs=5000")
        page.wait_for_function("document.querySelector('.svae-stage')?.dataset.moment > 52")
        trained, drawn = moves(page, told)
    print("# From a lever to what it does\n")
    print(f"| median of {MOVES} moves (largest) | s |\n| --- | ---: |")
    for name, seconds, asked in (("training", trained, 0.3), ("picture", drawn, 0.5)):
        median, most = statistics.median(seconds), max(seconds)
        print(f"| to changed {name} (asked: {asked}) | {median:.2f} ({most:.2f}) |")
    print(f"\n{about()}")


def listen(socket: WebSocket, told: dict[str, float]) -> None:
    """Keep when a message first told of each change; other sockets are Streamlit's own."""

    def note(message: str | bytes) -> None:
        header, _ = decode(message)  # type: ignore[arg-type]
        for node in header.get("tree") or ():
            for change in node["changes"]:
                told.setdefault(change["what"], time.time())

    if "_stcore" not in socket.url:
        socket.on("framereceived", note)


def moves(page: Page, told: dict[str, float]) -> tuple[list[float], list[float]]:
    """Seconds to changed training and to a changed picture, of each move."""
    trained, drawn = [], []
    page.evaluate(WATCH)
    for move in range(MOVES):
        beta = round(1.0 + 0.01 * (move + 1), 2)  # no two changes read alike
        started = page.evaluate(MOVE, beta)
        page.wait_for_timeout(BETWEEN)
        ((words, when),) = [item for item in told.items() if f"→ {beta:.4g} " in item[0]]
        since = int(words.rpartition(" ")[2])
        shown = page.evaluate("window.drawn")
        first = next(at for at, step in shown if at > started and step > since)
        trained.append(when - started / 1000)
        drawn.append((first - started) / 1000)
        print(f"{words}: {trained[-1]:.3f} {drawn[-1]:.3f}", file=sys.stderr, flush=True)
    return trained, drawn


if __name__ == "__main__":
    main()
