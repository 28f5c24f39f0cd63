"""The modes of torch and NumPy that training and evaluation are written for, whatever a caller set.

    @ordinary_modes()
    def advance(…)

A notebook may have made float64 or a GPU the default, be under autocast or without gradients, or
have NumPy raise where an exponential underflows to 0. Its modes are afterwards as they were.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch

_KINDS = ("cpu", "cuda")


@contextlib.contextmanager
def ordinary_modes() -> Iterator[None]:
    """float32 and the CPU by default, gradients, no autocast; underflow is 0.

    What is so already is left alone: a default device costs every call of torch.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(np.errstate(under="ignore"))
        if (usual := torch.get_default_dtype()) != torch.float32:
            stack.callback(torch.set_default_dtype, usual)
            torch.set_default_dtype(torch.float32)
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        for kind in _KINDS:
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if not torch.is_grad_enabled():
            stack.enter_context(torch.enable_grad())
        yield
