"""Two convolutions that halve an image and a dense layer, and the same backwards.

`halving` is a 4 × 4 convolution of stride 2 and padding 1, `doubling` its transpose. Images are
flat rows with channels last: [m, b, height · width · channels]. Windows are gathered into rows
(im2col), so that a layer is one matrix product per member: members then equal their solo runs bit
for bit, which grouped convolutions do not guarantee. Each output pixel has a bias of its own.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from svae_core.config.fields import RequestError
from svae_core.nets.layers import Image, Layer, affine

_WINDOW = 4 * 4
#: Two halvings leave at least one place.
_SMALLEST = 4


@dataclass(frozen=True)
class Grid:
    """An image's height, width and number of channels."""

    height: int
    width: int
    channels: int

    @property
    def size(self) -> int:
        return self.height * self.width * self.channels

    def halved(self, channels: int) -> Grid:
        """The output grid of a halving; an odd size is rounded down."""
        return Grid(self.height // 2, self.width // 2, channels)


def layers(d: int, k: int, hidden: int, image: Image) -> list[Layer]:
    """`hidden` decides the channels: an eighth of it, then a quarter."""
    if image is None:
        raise RequestError("--arch conv needs images, which these data are not; choose mlp.")
    height, width = image
    if min(image) < _SMALLEST or height * width != d:
        raise RequestError(
            f"--arch conv needs images of at least {_SMALLEST} × {_SMALLEST} pixels, "
            f"but these are {height} × {width}; choose mlp."
        )
    whole = Grid(height, width, 1)
    half = whole.halved(max(4, hidden // 8))
    quarter = half.halved(max(8, hidden // 4))
    return [
        halving("encoder.0", whole, half),
        halving("encoder.1", half, quarter),
        affine("encoder.2", quarter.size, 2 * k, tanh=False),
        affine("decoder.3", k, quarter.size),
        doubling("decoder.4", quarter, half),
        doubling("decoder.5", half, whole, tanh=False),
    ]


def halving(name: str, fine: Grid, coarse: Grid) -> Layer:
    """A convolution to half the height and width, then tanh; weight [window, channels]."""
    window = _WINDOW * fine.channels

    def forward(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        product = torch.bmm(im2col(values, fine, coarse), weight)
        return (product.view(*values.shape[:2], coarse.size) + bias).tanh()

    shape = window, coarse.channels
    plain = "halving", astuple(fine), astuple(coarse), True
    return Layer(name, shape, coarse.size, forward, receptive_field=window, plain=plain)


def doubling(name: str, coarse: Grid, fine: Grid, *, tanh: bool = True) -> Layer:
    """A transposed convolution to twice the height and width; weight [channels, window]."""

    def forward(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        pixels = values.reshape(len(values), -1, coarse.channels)
        outputs = col2im(torch.bmm(pixels, weight), fine, coarse) + bias
        return outputs.tanh() if tanh else outputs

    shape = coarse.channels, _WINDOW * fine.channels
    # Windows overlap: an output depends on two pixels in each direction.
    field, plain = 2 * 2 * coarse.channels, ("doubling", astuple(coarse), astuple(fine), tanh)
    return Layer(name, shape, fine.size, forward, receptive_field=field, plain=plain)


# With its edge of zeros, an image has pairs of rows and of columns; a window is two pairs of each,
# so both take two steps, a direction each, which autograd inverts without a loop over the window.


def im2col(values: Tensor, fine: Grid, coarse: Grid) -> Tensor:
    """The windows of fine images [m, b, size] as rows, [m, b · coarse pixels, window]."""
    h, w, c = coarse.height, coarse.width, fine.channels
    image = values.reshape(-1, fine.height, fine.width, c)
    image = pad(image, (0, 0, 1, 2 * w + 1 - fine.width, 1, 2 * h + 1 - fine.height))
    pairs = image.view(-1, h + 1, 2, (w + 1) * 2 * c)
    fours = torch.cat((pairs[:, :h], pairs[:, 1:]), dim=2).view(-1, h, 4, w + 1, 2 * c)
    windows = torch.cat((fours[:, :, :, :w], fours[:, :, :, 1:]), dim=4)
    return windows.transpose(2, 3).reshape(len(values), -1, _WINDOW * c)


def col2im(rows: Tensor, fine: Grid, coarse: Grid) -> Tensor:
    """The transpose of `im2col`: windows summed where they overlap, [m, b, size]."""
    h, w, c = coarse.height, coarse.width, fine.channels
    windows = rows.reshape(-1, h, w, 4, 4 * c).transpose(2, 3)
    left, right = windows.split(2 * c, dim=4)
    fours = pad(left, (0, 0, 0, 1)) + pad(right, (0, 0, 1, 0))
    top, bottom = fours.flatten(3).split(2, dim=2)
    pairs = pad(top, (0, 0, 0, 0, 0, 1)) + pad(bottom, (0, 0, 0, 0, 1, 0))
    image = pairs.view(-1, 2 * h + 2, 2 * w + 2, c)
    inside = image[:, 1 : 1 + fine.height, 1 : 1 + fine.width]
    return inside.reshape(len(rows), -1, fine.size)
