"""Training to the end, as commands do it: on one thread, with a bar on a terminal."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from svae_core.records import Budget, Certificate, Settings, to_json

# Members trained as one batch; more gain little (measured in tests/benchmarks).
_CHUNK = 16


def add_save(command: argparse.ArgumentParser) -> None:
    """--save."""
    command.add_argument(
        "--save", action="store_true", help="keep the runs on disk, each with its frames"
    )


def one_thread() -> None:
    """Let this process compute on one thread: runs are then bit for bit the same everywhere."""
    import torch

    torch.set_num_threads(1)


def train_members(members: tuple[Settings, ...], save: bool) -> list[dict[str, Any]]:
    """Certificate, seconds, speed and folder of each run, ready for JSON."""
    runs: list[dict[str, Any]] = []
    for start in range(0, len(members), _CHUNK):
        chunk = members[start : start + _CHUNK]
        certificates, seconds, samples, folders = trained(chunk, save)
        for certificate, folder in zip(certificates, folders, strict=True):
            answer: dict[str, Any] = to_json(certificate)
            speed = samples / seconds
            runs.append(answer | {"seconds": seconds, "samples_per_second": speed, "run": folder})
    return runs


def trained(
    members: tuple[Settings, ...], save: bool
) -> tuple[tuple[Certificate, ...], float, int, list[str | None]]:
    """Certificates, seconds, samples seen by each member, and folders where runs were saved."""
    from tqdm import tqdm

    from svae_core import run, training

    one_thread()
    state = training.begin(members)
    n = training.point_count(state)
    steps = training.total_steps(members[0], n)
    moments = [training.first_frames(state)] if save else []
    started = time.perf_counter()
    with tqdm(total=steps, unit="step", file=sys.stderr, disable=None, leave=False) as bar:
        while state.step < steps:
            before = state.step
            advance = training.advance(state, Budget(seconds=0.5, frames=save))
            state = advance.state
            for moment in advance.moments:  # only the last one's latents serve a map
                moments[-1] = run.without_latents(moments[-1])
                moments.append(moment)
            bar.update(state.step - before)
    seconds = time.perf_counter() - started
    certificates = training.certify(state)
    folders: list[str | None] = [None] * len(members)
    if save:
        for index, certificate in enumerate(certificates):
            solo = training.member(state, index)
            frames = tuple((moment[index],) for moment in moments)
            folders[index] = str(run.save(solo, (certificate,), frames))
    return certificates, seconds, members[0].epochs * n, folders
