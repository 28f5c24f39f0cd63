"""The training loop: resumed equals uninterrupted, a member equals its solo run, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svae_core.config.settings import (
    MOST_CHANGES,
    change,
    settings_at,
    settings_from_dict,
    settings_to_dict,
)
from svae_core.records import Budget, RequestError, Settings, State
from svae_core.runs.tensors import MOST_MOMENTS, pack_state, unpack_state
from svae_core.training import frame_steps
from svae_core.training.frame_steps import changed_steps, is_frame_step
from svae_core.training.loop import (
    advance,
    begin,
    certify,
    chunk_size,
    finished,
    first_frames,
)

SMALL = Settings(
    dataset="wine", clusters=3, epochs=6, batch_size=50, latent_dim=3, hidden=24, device="cpu"
)


def assert_same_state(one: State, other: State, row: slice = slice(None)) -> None:
    assert one.step == other.step
    for name in ("parameters", "first_moment", "second_moment"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name)[row], err_msg=name)


def assert_same_frames(ones, others):
    assert len(ones) == len(others)
    for one, other in zip(ones, others, strict=True):
        for name, value in vars(one).items():
            np.testing.assert_array_equal(value, getattr(other, name), err_msg=name)


def pair(**changes):
    settings = replace(SMALL, **changes)
    return tuple(replace(settings, method=name) for name in ("baseline", "spherical"))


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["linear", "mlp"])
@pytest.mark.parametrize("steps", [1, 3, 7])
def test_resumed_equals_uninterrupted(arch, steps):
    members = pair(arch=arch)
    whole = advance(begin(members))
    state, moments = begin(members), []
    while not finished(state):
        slice_ = advance(state, Budget(steps=steps))
        state = slice_.state
        moments += slice_.moments
    assert_same_state(whole.state, state)
    assert_same_frames(sum(whole.moments, ()), sum(moments, ()))


@pytest.mark.parametrize("dataset", ["wine", "digits"])
@pytest.mark.parametrize("arch", ["linear", "mlp"])
def test_a_member_equals_its_solo_run(dataset, arch):
    base = replace(SMALL, dataset=dataset, epochs=2, arch=arch, n_points=150, latent_dim=5)
    members = tuple(
        replace(base, method=method, seed=seed, sigma2=sigma2)
        for method in ("baseline", "spherical")
        for seed, sigma2 in ((0, 1.0), (1, 0.05), (2, 0.3))
    )
    together = advance(begin(members))
    for index, settings in enumerate(members):
        alone = advance(begin((settings,)))
        assert_same_state(alone.state, together.state, slice(index, index + 1))
        assert_same_frames(
            [moment[0] for moment in alone.moments],
            [moment[index] for moment in together.moments],
        )


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["digits", "clusters", "mnist5k"])
def test_members_of_a_shipped_chunk_equal_their_solo_runs(dataset):
    """With the sizes that are shipped: default nets and batches, as many members as a sweep has."""
    base = Settings(dataset=dataset, n_points=300, epochs=1, device="cpu")
    methods = ("spherical", "baseline", "beta_vae")
    size = chunk_size(base)
    members = tuple(
        replace(base, method=methods[i % 3], seed=i // 5, sigma2=0.05 + 0.07 * i)
        for i in range(size)
    )
    assert 2 <= size <= 32
    together = advance(begin(members), Budget(frames=False)).state
    for index in sorted({0, 1, size // 2, size - 1}):
        alone = advance(begin(members[index : index + 1]), Budget(frames=False)).state
        assert_same_state(alone, together, slice(index, index + 1))


def test_chunks_are_smaller_where_nets_are_larger():
    base = Settings(dataset="wine", device="cpu")
    sizes = [chunk_size(replace(base, hidden=hidden)) for hidden in (8, 32, 128, 512)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > sizes[-1]


def test_the_same_seed_twice_and_another_seed():
    members = pair()
    first, second = advance(begin(members)), advance(begin(members))
    assert_same_state(first.state, second.state)
    other = advance(begin(pair(seed=1)))
    assert not np.array_equal(first.state.parameters, other.state.parameters)


def test_methods_share_initial_weights_and_states_are_not_written_to():
    state = begin(pair())
    np.testing.assert_array_equal(state.parameters[0], state.parameters[1])
    before = state.parameters.copy()
    advance(state, Budget(steps=5))
    np.testing.assert_array_equal(state.parameters, before)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 5, 49, 50, 51, 199, 200, 201, 4321, 60_000, 3_000_000])
def test_frames_are_dense_at_first_then_even_and_end_with_the_last_step(steps):
    at = [step for step in range(1, steps + 1) if is_frame_step(step, steps)]
    assert at[: frame_steps.DENSE] == [*range(1, min(steps, frame_steps.DENSE) + 1)]
    assert at[-1] == steps and len(at) <= frame_steps.MOST_FRAMES
    later = np.diff(at[frame_steps.DENSE - 1 : -1])
    assert len(set(later)) <= 1
    if steps <= 60_000:
        assert len(at) == min(steps, len(at)) <= max(frame_steps.FRAMES, steps // 400 + 51)
        assert len(later) == 0 or later[0] <= frame_steps.LONGEST_GAP


@pytest.mark.parametrize("steps", [1, 5, 199, 200, 201, 4321])
def test_frames_of_older_runs_stay_evenly_spread(steps):
    at = [step for step in range(1, steps + 1) if is_frame_step(step, steps, frame_steps.EVEN)]
    assert len(at) == min(steps, frame_steps.FRAMES)
    assert at[-1] == steps
    gaps = np.diff(at)
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("rule", [frame_steps.EVEN, frame_steps.DENSE_START])
def test_an_older_run_goes_on_with_the_frames_that_it_would_have_had(rule):
    settings = Settings(dataset="wine", clusters=3, latent_dim=3, hidden=8, epochs=150)
    settings = change(settings, 100, "sigma2", 0.5)
    older = replace(begin((settings,)), frame_rule=rule)
    whole = [moment[0].step for moment in advance(older).moments]
    first = advance(older, Budget(steps=101))
    kept = unpack_state(pack_state(first.state), (settings,))[0]
    resumed = [moment[0].step for moment in (*first.moments, *advance(kept).moments)]
    assert resumed == whole
    steps = whole[-1]
    assert whole == [at for at in range(1, steps + 1) if is_frame_step(at, steps, rule)]
    new = [moment[0].step for moment in advance(begin((settings,))).moments]
    assert new != whole


@pytest.mark.slow
@given(
    changed=st.sets(st.integers(0, 5_000), max_size=20).map(sorted),
    steps=st.integers(1, 5_000),
    cut=st.integers(0, 5_000),
)
def test_frames_are_dense_after_a_change_and_the_same_up_to_the_next_one(changed, steps, cut):
    def at(changed):
        return [
            step
            for step in range(1, steps + 1)
            if is_frame_step(step, steps, changed=tuple(changed))
        ]

    found, plain = at(changed), at([])
    assert set(plain) <= set(found)
    assert {since + 1 for since in changed if since < steps} <= set(found)
    # A branch from `cut` has its parent's frames up to there, and no later change's.
    branch = at([since for since in changed if since < cut])
    assert [step for step in branch if step <= cut] == [step for step in found if step <= cut]


@pytest.mark.slow
def test_the_most_frames_of_a_changed_run_fit_into_its_file():
    settings = Settings(changes=tuple((400 * n, "beta", 2.0) for n in range(1, MOST_CHANGES + 1)))
    changed, steps = changed_steps((settings,)), 400 * MOST_CHANGES
    assert sum(is_frame_step(at, steps, changed=changed) for at in range(steps + 1)) < MOST_MOMENTS


def test_frames_are_complete():
    members = pair()
    (frame, _) = first_frames(begin(members))
    assert frame.step == 0 and frame.steps == 6 * 4
    assert frame.latent_mean.shape == (178, 3) and frame.latent_mean.dtype == np.float32
    assert frame.shell_view.shape == (178, 3)
    assert frame.kl == pytest.approx(frame.kl_per_dim.sum(), rel=1e-5)
    last = advance(begin(members)).moments[-1]
    assert last[0].step == last[0].steps and last[1].method == "spherical"
    radii = np.linalg.norm(last[1].shell_view, axis=1)
    assert radii.min() > 0.8 - 1e-5 and radii.max() < 1.2 + 1e-5


def test_a_time_budget_stops_early_and_changes_nothing():
    members = pair(epochs=200)
    whole = advance(begin(members), Budget(steps=40))
    state = begin(members)
    while state.step < 40:
        state = advance(state, Budget(steps=40 - state.step, seconds=0.0)).state
    assert_same_state(whole.state, state)


@pytest.mark.slow
def test_certificates_agree_with_frames():
    """The last frame and the certificate measure the same model on the same points."""
    result = advance(begin(pair(epochs=60)))
    for frame, certificate in zip(result.moments[-1], certify(result.state), strict=True):
        assert certificate.kl == pytest.approx(frame.kl, rel=1e-6, abs=1e-7)
        assert certificate.loss == pytest.approx(frame.loss, rel=0.1)
        assert certificate.draws * 178 >= 65_536
        assert certificate.active_units == frame.active.sum()
        assert certificate.mutual_information <= certificate.mi_ceiling == np.log(178)
        assert certificate.mutual_information <= certificate.kl + 0.05


def test_members_that_cannot_share_a_batch_are_refused():
    with pytest.raises(RequestError, match="agree in latent_dim"):
        begin((SMALL, replace(SMALL, latent_dim=4)))
    with pytest.raises(RequestError, match="nothing to train"):
        begin(())


def test_an_empty_band_stops_the_method_that_needs_it_only():
    empty = replace(SMALL, clusters=1, collapse_loss="between")
    with pytest.raises(RequestError, match="empty"):
        begin((replace(empty, method="spherical"),))
    begin((replace(empty, method="baseline"),))


@pytest.mark.slow
def test_a_change_takes_effect_at_its_step_and_replays_exactly():
    """A band dragged in the middle of a run: live, replayed from the start, branched from there."""
    members = pair(epochs=12)
    half = advance(begin(members), Budget(steps=20))
    changed = tuple(change(settings, 20, "band", (0.1, 0.6)) for settings in members)
    live = advance(replace(half.state, settings=changed))
    replayed = advance(begin(changed))
    assert_same_state(live.state, replayed.state)
    assert_same_frames(
        [frame for moment in (*half.moments, *live.moments) for frame in moment],
        [frame for moment in replayed.moments for frame in moment],
    )
    his = [moment[1].hi for moment in replayed.moments]
    assert len(set(his)) == 2 and his[-1] > his[0]
    unchanged = advance(begin(members)).state
    assert not np.array_equal(unchanged.parameters[1], live.state.parameters[1])
    assert certify(live.state)[1].hi == pytest.approx(his[-1])


def test_changes_survive_json_and_only_some_settings_can_change():
    settings = change(change(SMALL, 5, "beta", 2.0), 9, "band", (0.0, 0.5))
    assert settings_from_dict(settings_to_dict(settings)) == settings
    assert settings_at(settings, 4).beta == SMALL.beta
    assert settings_at(settings, 9).band == (0.0, 0.5)
    assert change(settings, 7, "sigma2", 0.5).changes == ((5, "beta", 2.0), (7, "sigma2", 0.5))
    with pytest.raises(RequestError, match="cannot change"):
        change(SMALL, 5, "latent_dim", 3)
    with pytest.raises(RequestError, match="--band"):
        change(SMALL, 5, "band", (0.9, 0.1))
    plain = settings_to_dict(settings)
    for forged, why in ([5, "latent_dim", 3], "cannot change"), ([5, "beta", -1.0], "--beta"):
        with pytest.raises(RequestError, match=why):
            settings_from_dict(plain | {"changes": [forged]})
