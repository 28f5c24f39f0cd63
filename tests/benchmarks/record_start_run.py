"""Make assets/recorded_run.npz, the run on the Start page.

    PYTHONPATH=. python tests/benchmarks/record_start_run.py

Not a benchmark; it is here because it also makes a shipped file from a real run: digits with the
default settings.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from svae_core.figures.start_animation import Recording, save_recording
from svae_core.methods import scan_methods
from svae_core.problem import prepared_data
from svae_core.records import Certificate, Moment, PreparedData, Settings
from svae_core.training import loop

_POINTS, _FRAMES = 320, 30
_TARGET = Path(__file__).parents[2] / "assets" / "recorded_run.npz"


def main() -> None:
    spherical = Settings()
    members = (dataclasses.replace(spherical, method="baseline"), spherical)
    state = loop.begin(members)
    first = loop.first_frames(state)
    result = loop.advance(state)
    certificates = loop.certify(result.state)
    recording = thin((first, *result.moments), prepared_data(spherical), certificates)
    save_recording(recording, _TARGET)
    for certificate in certificates:
        print(certificate.sentence)
    print(f"{_TARGET.name}: {_TARGET.stat().st_size / 1e3:.0f} kB")


def thin(
    moments: tuple[Moment, ...], ground: PreparedData, certificates: tuple[Certificate, ...]
) -> Recording:
    """Few frames, denser at the beginning where most happens, and few points."""
    share = np.linspace(0, 1, _FRAMES) ** 1.7
    at = np.unique(np.rint(share * (len(moments) - 1)).astype(int))
    # The last frame of each epoch, since epochs label the slider.
    chosen = list({moments[index][0].epoch: moments[index] for index in at}.values())
    pick = np.random.default_rng(0).permutation(len(ground.view_index))[:_POINTS]
    titles = scan_methods()
    by_member = list(zip(*chosen, strict=True))
    return Recording(
        titles=np.array([titles[frames[0].method].title for frames in by_member]),
        sentences=np.array([certificate.sentence for certificate in certificates]),
        points=np.array(
            [[frame.shell_view[pick] for frame in frames] for frames in by_member], np.float16
        ),
        data=ground.view_points[pick].astype(np.float16),
        labels=ground.clusters.labels[ground.view_index[pick]],
        epochs=np.array([frame.epoch for frame in by_member[0]]),
        losses=np.array([[frame.loss for frame in frames] for frames in by_member]),
        kls=np.array([[frame.kl for frame in frames] for frames in by_member]),
        deltas=np.array([frames[0].delta for frames in by_member]),
        radii=np.array([ground.shell.r_min, ground.shell.r_max]),
    )


if __name__ == "__main__":
    main()
