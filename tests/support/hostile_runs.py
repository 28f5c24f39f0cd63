"""Runs that nobody would want to be given: edits of a good one, by name, and random damage.

Each edit takes the files of a run as bytes by name, and leaves others.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from support.hostile_files import damaged
from svae_core.runs.manifest import ABOUT

Files = dict[str, bytes]
Edit = Callable[[Files], None]
HUGE = 10**400


def files_of(folder: Path) -> Files:
    """A run's files."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def archive(files: Files) -> bytes:
    """These files as one that can be imported."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return whole.getvalue()


def put(files: Files, folder: Path) -> Path:
    """These files as a run's folder, as if somebody had unpacked them there by hand."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


# ------------------------------------------------------------------------ ways to edit one


def about(**values: Any) -> Edit:
    """Other values in run.json."""

    def edit(files: Files) -> None:
        files[ABOUT] = json.dumps(json.loads(files[ABOUT]) | values).encode()

    return edit


def member(**values: Any) -> Edit:
    """Other settings of every member."""

    def edit(files: Files) -> None:
        plain = json.loads(files[ABOUT])
        for one in plain["members"]:
            one |= values
        files[ABOUT] = json.dumps(plain).encode()

    return edit


def page(**values: Any) -> Edit:
    """Something else kept by a screen."""

    def edit(files: Files) -> None:
        plain = json.loads(files[ABOUT])
        plain["page"] |= values
        files[ABOUT] = json.dumps(plain).encode()

    return edit


def raw(old: str, new: str) -> Edit:
    """Another text in run.json, which may be no JSON."""

    def edit(files: Files) -> None:
        assert old in files[ABOUT].decode()
        files[ABOUT] = files[ABOUT].decode().replace(old, new, 1).encode()

    return edit


def named(content: bytes) -> Edit:
    """Another name.txt."""

    def edit(files: Files) -> None:
        files["name.txt"] = content

    return edit


def listed(kind: str, change: Callable[[bytes], bytes]) -> Edit:
    """Another file of a kind, with the size and digest that run.json must give it."""

    def edit(files: Files) -> None:
        plain = json.loads(files[ABOUT])
        for entry in plain["files"]:
            if entry["name"].startswith(kind):
                content = files[entry["name"]] = change(files[entry["name"]])
                entry["size"] = len(content)
                entry["sha256"] = hashlib.sha256(content).hexdigest()
        files[ABOUT] = json.dumps(plain).encode()

    return edit


def certificate(**values: Any) -> Edit:
    """Other values in each certificate."""
    return listed(
        "certificates",
        lambda data: json.dumps([one | values for one in json.loads(data)]).encode(),
    )


def arrays(kind: str, change: Callable[[dict[str, np.ndarray], dict[str, Any]], None]) -> Edit:
    """Other arrays, or other words, in a file of arrays."""

    def changed(data: bytes) -> bytes:
        (length,) = struct.unpack_from("<Q", data)
        texts = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["texts"])
        found = load(data)
        change(found, texts)
        return bytes(save(found, {"texts": json.dumps(texts)}))

    return listed(kind, changed)


def words(kind: str, text: str) -> Edit:
    """Words in a file of arrays that may be no JSON."""

    def changed(data: bytes) -> bytes:
        return bytes(save(load(data), {"texts": text}))

    return listed(kind, changed)


def column(name: str, value: Any) -> Edit:
    """A column of every member's frames."""

    def change(found: dict[str, np.ndarray], _texts: dict[str, Any]) -> None:
        for key in [key for key in found if key.endswith(f".{name}")]:
            found[key] = value(found[key]) if callable(value) else value

    return arrays("frames", change)


def _deep(text: str = "[", times: int = 100_000) -> str:
    return text * times


def _more_rows_than_bytes(found: dict[str, np.ndarray], texts: dict[str, Any]) -> None:
    """Rows of no columns take no bytes, however many they are."""
    for key in found:
        if key.endswith((".kl_per_dim", ".active")):
            found[key] = np.zeros((2**40, 0), found[key].dtype)
    texts["moments"] = 2**40


def _words_of(found: dict[str, np.ndarray], texts: dict[str, Any], sentence: Any) -> None:
    for key in texts:
        if key.endswith(".sentence"):
            texts[key] = [sentence for _ in texts[key]]


MARKDOWN = "![x](http://attacker.example/p.png) <img src=x onerror=alert(1)> $a$ [y](http://z)"
#: Each is imported, or refused in one sentence; and put on the shelf by hand, it harms nobody.
EDITS: dict[str, Edit] = {
    # run.json: numbers
    "saved in the year 33658": about(saved=1e12),
    "created in the year 9999": about(created=253_000_000_000),
    "saved never": raw('"saved":', '"saved": NaN, "was":'),
    "saved before 1970": about(saved=-1e10),
    "a step of 400 digits": about(step=HUGE),
    "steps of 400 digits": about(steps=HUGE),
    "a step below zero": about(step=-5),
    "a loss of 400 digits": about(losses=[HUGE]),
    "a loss of 1e308": about(losses=[1e308, -1e308], nats=[1e-320, 1e308]),
    "an infinite loss": raw('"losses": [', '"losses": [Infinity, '),
    "a size of 400 digits": raw('"size": ', '"size": 1' + "0" * 400),
    # run.json: settings
    "epochs of 400 digits": member(epochs=HUGE),
    "a seed of 400 digits": member(seed=HUGE),
    "twenty thousand clusters": member(clusters=20_000),
    "a band of words": member(band=["a", "b"]),
    "an unknown method": member(method="no-such-method"),
    "an unknown data set": member(dataset="../../etc/passwd"),
    "a method that is a list": member(method=["spherical"]),
    "options that nest": member(method_options={"strength": {"a": [1]}}),
    "thousands of changes": member(changes=[[n, "beta", 1.5] for n in range(20_000)]),
    "changes out of order": member(changes=[[9, "beta", 1.5], [2, "beta", 2.5]]),
    "a change of 400 digits": member(changes=[[HUGE, "beta", 1.5]]),
    # run.json: words
    "half a surrogate pair as title": about(title="\ud800"),
    "half a surrogate pair as status": about(status="a\udfff"),
    "a title of a megabyte": about(title="x" * 1_000_000),
    "a title in Markdown": about(title=MARKDOWN),
    "a title of control characters": about(title="\0\x1b[31m\r\n# big\u202e"),
    "an id that leads out": about(id="../../../../tmp/x"),
    "an owner that is a pattern": about(owner=".*"),
    "verdicts in Markdown": about(verdicts=[MARKDOWN[:39]]),
    "a verdict of a megabyte": about(verdicts=["certified" * 100_000]),
    # run.json: form
    "nested a hundred thousand deep": raw('"page": {', f'"page": {{"x": {_deep()}'),
    "nested a hundred deep": page(x=json.loads("[" * 100 + "]" * 100)),
    "a page of many small things": page(wish=[[] for _ in range(150_000)]),
    "a page of another kind": about(page=["playing"]),
    "a parent elsewhere": page(parent=["x" * 22, 3, MARKDOWN]),
    "an answer that is none": page(lesson="collapse", prediction=10**15),
    "no members": about(members=[]),
    "a hundred thousand members": about(members=[{}] * 100_000),
    "no files": about(files=[]),
    "a file twice": raw('"files": [', '"files": [{"name": "run.json", "size": 1, "sha256": ""},'),
    # name.txt
    "a name of many megabytes": named(b"n" * 8_000_000),
    "a name that is no UTF-8": named(b"\xff\xfe\xed\xa0\x80"),
    "a name in Markdown": named(MARKDOWN.encode()),
    # certificates
    "a sentence in Markdown": certificate(sentence=MARKDOWN),
    "a verdict that nobody measured": certificate(verdict="certified by the attacker"),
    "a certified loss of 400 digits": certificate(loss=HUGE),
    "certificates in certificates": listed(
        "certificates", lambda data: b'[{"held_out":' * 5000 + b"1" + b"}]" * 5000
    ),
    "units of 400 digits": certificate(active_units=HUGE),
    # frames and state
    "more rows than bytes": arrays("frames", _more_rows_than_bytes),
    "moments of 400 digits": arrays("frames", lambda _, texts: texts.update(moments=HUGE)),
    "words nested deep": words("frames", _deep()),
    "words of a state nested deep": words("state", _deep('{"a":')),
    "a state at a step of 400 digits": arrays("state", lambda _, texts: texts.update(step=HUGE)),
    "half a surrogate pair in a frame": arrays(
        "frames", lambda found, texts: _words_of(found, texts, "\ud800")
    ),
    "a frame's sentence of another kind": arrays(
        "frames", lambda found, texts: _words_of(found, texts, {"a": 1})
    ),
    "steps that are no number": column("step", lambda old: np.full(old.shape, np.nan)),
    "steps beyond any run": column("steps", lambda old: np.full(old.shape, 2**62)),
    "a map of another kind": arrays(
        "frames", lambda _, texts: texts.update(layouts=[[["<b>", HUGE, MARKDOWN]] * 2])
    ),
    "a dimension for every byte": column(
        "kl_per_dim", lambda old: np.zeros((len(old), 200_000), np.float32)
    ),
    "frames of several shapes": arrays(
        "frames",
        lambda found, _: found.update(
            {"moments.0.samples": np.zeros((len(found["moments.0.loss"]), 7, 5), np.float32)}
        ),
    ),
    "weights that are not finite": arrays(
        "state", lambda found, _: found["state.parameters"].fill(np.nan)
    ),
}


def random_damage(files: Files, number: int) -> Files:
    """One to five injuries to one of a run's files; half of the time run.json names its new size.

    With the right size and digest the damage gets past them, as an attacker's would.
    """
    rng = np.random.default_rng([number, 17])
    names = sorted(files)
    name = names[int(rng.integers(0, len(names)))]
    other = files[names[int(rng.integers(0, len(names)))]]
    content = damaged(files[name], other, rng)
    found = files | {name: content}
    if name != ABOUT and rng.integers(0, 2):
        listed(name, lambda _: content)(found)
    return found
