"""Runs on disk: what is read is what was written, and damage is said in one sentence."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from support.saved_runs import PAIR, WINE, assert_same, assert_same_run, layout_of, part_of

from svae_core.latent.projection import Layout
from svae_core.records import Budget, Certificate, Floors, Frame, RequestError, State, to_json
from svae_core.runs import folder as on_disk
from svae_core.runs import tensors
from svae_core.runs.folder import RunWriter, SavedRun, load, save
from svae_core.runs.manifest import About, certificate_from_json
from svae_core.training.loop import advance, begin, certify, first_frames, member


@pytest.fixture(scope="module")
def trained() -> SavedRun:
    """A pair trained to its end, as the app keeps it."""
    state = begin(PAIR)
    moments = [first_frames(state)]
    done = advance(state)
    moments += done.moments
    layouts = tuple(
        tuple(layout_of(frame.latent_mean[:, :2], frame.step) for frame in moment)
        for moment in moments[::3]
    )
    about = About(PAIR, title="Wine", fingerprint="f", steps=moments[0][0].steps)
    return SavedRun(about, done.state, tuple(moments), layouts, certify(done.state))


# ---------------------------------------------------------------------------- round trips


@pytest.mark.slow
def test_a_loaded_run_is_the_saved_one(trained: SavedRun, tmp_path: Path) -> None:
    RunWriter(tmp_path / "run").write(trained)
    found = load(tmp_path / "run")
    assert_same_run(trained, found)
    assert found.about.members == PAIR and found.about.verdicts == tuple(
        certificate.verdict for certificate in trained.certificates
    )
    assert found.about.id == trained.about.id and len(found.about.id) >= 22


def test_a_run_may_be_written_as_it_grows(trained: SavedRun, tmp_path: Path) -> None:
    """Frames once each, a folder that is right after every write, and nothing left behind."""
    writer = RunWriter(tmp_path / "run")
    for moments, layouts in ((1, 0), (2, 1), (2, 1), (4, 1), (4, 2)):
        writer.write(part_of(trained, moments, layouts))
        assert_same_run(load(tmp_path / "run"), part_of(trained, moments, layouts))
    kinds = sorted(path.name.split("-")[0] for path in (tmp_path / "run").iterdir())
    assert kinds == ["certificates", *["frames"] * 4, "run.json", "state"]
    again = RunWriter(tmp_path / "run", load(tmp_path / "run"))  # another server goes on
    again.write(trained, last=True)
    assert_same_run(load(tmp_path / "run"), trained)
    kinds = sorted(path.name.split("-")[0] for path in (tmp_path / "run").iterdir())
    assert kinds == ["certificates", "frames", "run.json", "state"]


def test_many_short_writes_do_not_make_many_files(trained: SavedRun, tmp_path: Path) -> None:
    moment = trained.moments[0]
    moments = tuple(
        tuple(replace(frame, step=step) for frame in moment)
        for step in range(2 * on_disk._MOST_SHARDS)
    )
    writer = RunWriter(tmp_path / "run")
    for count in range(1, len(moments) + 1):
        writer.write(replace(trained, moments=moments[:count], layouts=()))
    assert len(list((tmp_path / "run").glob("frames-*"))) <= on_disk._MOST_SHARDS
    assert len(load(tmp_path / "run").moments) == len(moments)


def test_starting_over_replaces_what_was_written(trained: SavedRun, tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    writer.write(trained)
    writer.start_over()
    writer.write(part_of(trained, 2, 0))
    assert_same_run(load(tmp_path / "run"), part_of(trained, 2, 0))


def test_a_loaded_run_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    state = advance(begin((WINE,)), Budget(steps=3)).state
    found = load(save(state, (), folder=tmp_path / "a run"))
    assert found.about.members == (WINE,) and found.state.step == 3
    assert_same(advance(found.state).state, advance(state).state, ("memory",))


def test_a_member_is_saved_by_itself(tmp_path: Path) -> None:
    together = advance(begin(PAIR)).state
    folder = save(member(together, 0), (), folder=tmp_path / "one")
    alone = advance(begin(PAIR[:1])).state
    np.testing.assert_array_equal(load(folder).state.parameters, alone.parameters)


_floats = st.floats(width=64)  # nan, infinities and −0 too
_counts = st.integers(0, 2**40)


def _array(kind: Any, *shape: int) -> st.SearchStrategy[np.ndarray]:
    if kind is np.bool_:
        return npst.arrays(np.bool_, shape)
    return npst.arrays(np.float32, shape, elements=st.floats(width=32))


@st.composite
def _frames(draw: st.DrawFn) -> tuple[list[tuple[Frame, ...]], list[tuple[Layout, ...]]]:
    members, k, v, d = (draw(st.integers(1, 3)) for _ in range(4))

    def frame(step: int) -> Frame:
        numbers = {name: draw(_floats) for name in ("loss", "delta", "lo", "hi", "kl", "structure")}
        return Frame(
            method=draw(st.text()),
            step=step,
            epoch=draw(_counts),
            steps=draw(_counts),
            kl_per_dim=draw(_array(np.float32, k)),
            active=draw(_array(np.bool_, k)),
            latent_mean=draw(_array(np.float32, v, k)),
            shell_view=draw(_array(np.float32, v, 3)),
            samples=draw(_array(np.float32, min(v, 8), d)),
            sentence=draw(st.text()),
            **numbers,
        )

    def layout() -> Layout:
        coordinates = draw(_array(np.float32, draw(st.sampled_from([0, v])), 2))
        kind = draw(st.sampled_from(["pca", "umap", "none"]))
        return Layout(coordinates, kind, draw(_counts), draw(st.text()), coordinates)

    steps = sorted(draw(st.sets(_counts, min_size=1, max_size=3)))
    moments = [tuple(frame(step) for _ in range(members)) for step in steps]
    layouts = [tuple(layout() for _ in range(members)) for _ in range(draw(st.integers(0, 2)))]
    return moments, layouts


@pytest.mark.slow
@given(_frames())
def test_frames_survive_the_way_bit_for_bit(
    drawn: tuple[list[tuple[Frame, ...]], list[tuple[Layout, ...]]],
) -> None:
    moments, layouts = drawn
    found = tensors.unpack_frames(tensors.pack_frames(moments, layouts))
    for rows, read in zip((moments, layouts), found, strict=True):
        assert len(rows) == len(read)
        for mine, theirs in zip(rows, read, strict=True):
            for a, b in zip(mine, theirs, strict=True):
                assert_same(a, b, ("latent_mean",))


@pytest.mark.parametrize("count", [10**12, -1])
def test_a_number_of_moments_that_cannot_be_is_refused_at_once(count: int) -> None:
    """It stands in the file's words, so anything may stand there."""
    words = {"moments": count, "layouts": []}
    file = tensors._pack({"moments.0.loss": np.zeros(3)}, words)
    with pytest.raises(ValueError, match="frames cannot be read"):
        tensors.unpack_frames(file)


@pytest.mark.slow
@given(st.data(), st.integers(1, 3), st.integers(1, 5))
def test_states_survive_the_way_bit_for_bit(data: st.DataObject, members: int, p: int) -> None:
    rows = [data.draw(_array(np.float32, members, p)) for _ in range(3)]
    memory = {"multiplier": data.draw(_array(np.float32, members))}
    state = State((WINE,) * members, data.draw(_counts), *rows, memory=memory)
    found, latents, maps = tensors.unpack_state(tensors.pack_state(state), state.settings)
    assert_same(state, found, ("memory",))
    assert found.memory["multiplier"].tobytes() == memory["multiplier"].tobytes()
    assert not latents and not maps


def test_certificates_survive_the_way(trained: SavedRun) -> None:
    for certificate in trained.certificates:
        unknown = replace(certificate, kl=float("nan"), held_out=certificate)
        for one in (certificate, unknown):
            read = certificate_from_json(json.loads(json.dumps(to_json(one))))
            assert to_json(read) == to_json(one) and isinstance(read, Certificate)
            assert isinstance(read.kl_per_dim, tuple) and isinstance(read.kl, float)
        nan = float("nan")
        diverged = replace(
            certificate, kl_per_dim=(nan, nan), floors=Floors(elementary=nan, proved=0.0, tight=0.0)
        )
        read = certificate_from_json(to_json(diverged))
        assert np.isnan(read.kl_per_dim).all() and np.isnan(read.floors.elementary)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *(("sentence", 3), ("loss", "<b>"), ("epochs", 1.5), ("in_band", 1), ("verdict", None)),
        *(("kl_per_dim", 0.5), ("kl_per_dim", ["1"]), ("floors", {"proved": "2"}), ("floors", [])),
        ("held_out", []),
    ],
)
def test_what_is_no_certificate_is_not_taken_for_one(
    trained: SavedRun, name: str, wrong: object
) -> None:
    plain = to_json(trained.certificates[0])
    with pytest.raises((TypeError, ValueError)):
        certificate_from_json(plain | {name: wrong})


# ------------------------------------------------------------------------- disks that refuse


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RequestError, match="cannot be saved"):
        save(begin((WINE,)), (), folder=tmp_path / "file" / "run")
    assert not list(tmp_path.glob(".*part"))


def test_a_disk_that_fills_up_at_any_point_leaves_the_last_state(
    trained: SavedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each write of a save fails in turn (injected); what was there is still there, and goes on."""
    writer = RunWriter(tmp_path / "run")
    writer.write(part_of(trained, 2, 1))
    before = sorted((tmp_path / "run").iterdir())
    for allowed in range(4):
        left = [allowed]
        real = on_disk.os.fsync

        def full(handle: int, left: list[int] = left, real: Any = real) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(handle)

        with monkeypatch.context() as patch:
            patch.setattr(on_disk.os, "fsync", full)
            with pytest.raises(OSError, match="No space left"):
                writer.write(trained)
        assert sorted((tmp_path / "run").iterdir()) == before
        assert_same_run(load(tmp_path / "run"), part_of(trained, 2, 1))
    writer.write(trained)
    assert_same_run(load(tmp_path / "run"), trained)
