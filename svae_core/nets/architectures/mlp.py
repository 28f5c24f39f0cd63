"""Two hidden tanh layers each way.

With ReLU, collapsed units die, and even at a healthy βσ² some seeds stayed collapsed.
"""

from __future__ import annotations

from svae_core.nets.layers import Image, Layer, affine


def layers(d: int, k: int, hidden: int, _image: Image) -> list[Layer]:
    """Three affine layers each way."""
    return [
        affine("encoder.0", d, hidden),
        affine("encoder.1", hidden, hidden),
        affine("encoder.2", hidden, 2 * k, tanh=False),
        affine("decoder.3", k, hidden),
        affine("decoder.4", hidden, hidden),
        affine("decoder.5", hidden, d, tanh=False),
    ]
