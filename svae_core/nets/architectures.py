"""Which layers each architecture has.

linear          an affine posterior mean and a free variance per dimension: pPCA, arXiv 1911.02469
mlp             two hidden tanh layers; with ReLU, collapsed units die and even at a healthy βσ²
                some seeds stayed collapsed
resmlp          a hidden layer and eight residual blocks each way
conv            two convolutions that halve an image and a dense layer, and the same backwards
autoregressive  the mlp, whose decoder also foretells each coordinate from those before it
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from svae_core.config.fields import RequestError
from svae_core.nets.convolution import Doubling, Grid, Halving
from svae_core.nets.layer_stack import Affine, Layer
from svae_core.nets.residual import Block

# Rows are padded to a multiple of this many floats, so that a member's numbers meet the same
# vector instructions in a batch as alone: members then equal solo runs bit for bit.
_ALIGN = 16
#: A layer that waits to be told where it starts in a row.
Unplaced = Callable[[int], Layer]
#: Height and width, where points are images.
Image = tuple[int, int] | None
#: Residual blocks of each half of a resmlp.
_DEPTH = 8
#: Two halvings leave at least one place.
_SMALLEST_IMAGE = 4


def laid_out(name: str, d: int, k: int, hidden: int, image: Image) -> tuple[Layer, ...]:
    """The layers of an encoder d → 2k (linear: d → k) and a decoder k → d, one after another.

    Raises RequestError for an unknown name, and where conv is asked for data that are no images.
    """
    if name not in _BUILDERS:
        raise RequestError(f"Unknown architecture {name!r}; there are: {', '.join(_BUILDERS)}.")
    parts = _BUILDERS[name](d, k, hidden, image)
    layers: list[Layer] = []
    start = 0
    for part in parts:
        layers.append(part(start))
        start = padded(layers[-1].stop)
    return tuple(layers)


def padded(size: int) -> int:
    """The floats that so many take up in a row."""
    return (size + _ALIGN - 1) // _ALIGN * _ALIGN


def _linear(d: int, k: int, _hidden: int, _image: Image) -> list[Unplaced]:
    return [
        partial(Affine, "encoder.0", d, k),
        partial(Affine, "variance.1", 0, k),
        partial(Affine, "decoder.2", k, d),
    ]


def _mlp(d: int, k: int, hidden: int, _image: Image) -> list[Unplaced]:
    return [*_dense("encoder", 0, d, hidden, 2 * k), *_dense("decoder", 3, k, hidden, d)]


def _resmlp(d: int, k: int, hidden: int, _image: Image) -> list[Unplaced]:
    return [*_deep("encoder", 0, d, hidden, 2 * k), *_deep("decoder", 10, k, hidden, d)]


def _conv(d: int, k: int, hidden: int, image: Image) -> list[Unplaced]:
    return _convolutional(_grid(image, d), k, hidden)


def _dense(half: str, at: int, first: int, hidden: int, last: int) -> list[Unplaced]:
    return [
        partial(Affine, f"{half}.{at}", first, hidden),
        partial(Affine, f"{half}.{at + 1}", hidden, hidden),
        partial(Affine, f"{half}.{at + 2}", hidden, last),
    ]


def _deep(half: str, at: int, first: int, hidden: int, last: int) -> list[Unplaced]:
    return [
        partial(Affine, f"{half}.{at}", first, hidden),
        *(partial(Block, f"{half}.{at + 1 + i}", hidden, _DEPTH) for i in range(_DEPTH)),
        partial(Affine, f"{half}.{at + 1 + _DEPTH}", hidden, last),
    ]


def _convolutional(image: Grid, k: int, hidden: int) -> list[Unplaced]:
    """`hidden` decides the channels: an eighth of it, then a quarter."""
    half = image.halved(max(4, hidden // 8))
    quarter = half.halved(max(8, hidden // 4))
    return [
        partial(Halving, "encoder.0", image, half),
        partial(Halving, "encoder.1", half, quarter),
        partial(Affine, "encoder.2", quarter.size, 2 * k),
        partial(Affine, "decoder.3", k, quarter.size),
        partial(Doubling, "decoder.4", quarter, half),
        partial(Doubling, "decoder.5", half, image),
    ]


def _grid(image: Image, d: int) -> Grid:
    if image is None:
        raise RequestError("--arch conv needs images, which these data are not; choose mlp.")
    height, width = image
    if min(image) < _SMALLEST_IMAGE or height * width != d:
        raise RequestError(
            f"--arch conv needs images of at least {_SMALLEST_IMAGE} × {_SMALLEST_IMAGE} pixels, "
            f"but these are {height} × {width}; choose mlp."
        )
    return Grid(height, width, 1)


#: Each architecture's layers from d, k, hidden and the size of images. The decoder of an
#: autoregressive one is the mlp's: what couples coordinates is no layer (see networks).
_BUILDERS: dict[str, Callable[[int, int, int, Image], list[Unplaced]]] = {
    "linear": _linear,
    "mlp": _mlp,
    "resmlp": _resmlp,
    "conv": _conv,
    "autoregressive": _mlp,
}
