"""An array by its name in a file that is open, as formats declare it to `array_bundle`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Why text that is kept as numbers for its letters is refused, and the way to mend it.
LETTERS_REFUSED = "holds letters (char), but must hold numbers; number classes by grp2idx"


@dataclass(frozen=True)
class NamedArray:
    """One array of a file that is open, as its header declares it; nothing of it is read yet."""

    shape: tuple[int, ...]
    dtype: np.dtype
    load: Callable[[], Any]  # its numbers or texts, which give blocks of rows
    refusal: str = ""  # why it can never be read: how a sentence about it goes on
    same: Any = None  # equal where two names are of one array, to which a link leads

    @property
    def numbers(self) -> bool:
        """Whether it holds real numbers; two bytes without a meaning are bfloat16."""
        dtype = self.dtype
        bfloat16 = dtype.kind == "V" and dtype.itemsize == 2 and not dtype.names
        return not self.refusal and (dtype.kind in "fiub" or bfloat16)

    @property
    def texts(self) -> bool:
        """Whether it holds words."""
        return not self.refusal and self.dtype.kind in "USO"
