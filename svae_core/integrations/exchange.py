"""A trained model for those who have none of this package: plain PyTorch, torch.export, ONNX.

    model = plain(trained);  write_module(model, "model.py")
    write_program(model, "model.pt2");  write_onnx(model, "model.onnx")

All three hold the encoder (points on the shell -> means and log-variances) and the decoder (latents
-> points on the shell); the plain module also maps data to the shell and back.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from svae_core.config.settings import settings_to_dict
from svae_core.config.writable import refusal
from svae_core.distributions.gaussian import array
from svae_core.integrations import plain_model
from svae_core.integrations.plain_model import PlainVAE
from svae_core.methods import CustomPosterior, title_of
from svae_core.nets.layers import Layer
from svae_core.records import RequestError
from svae_core.training.evaluate import Model


def plain(model: Model) -> PlainVAE:
    """The model as a plain module, in evaluation mode and with weights of its own.

    Raises RequestError for methods whose posterior is more than the outputs of the encoder.
    """
    settings, nets, shell = model.prepared.settings, model.networks, model.prepared.shell
    method = model.member_method.method
    if isinstance(method, CustomPosterior):
        raise RequestError(
            f"{title_of(settings.method)} has a posterior of its own, which an exported encoder "
            "would lack; export its embeddings, or a run of another method."
        )
    made = PlainVAE(
        {
            "settings": settings_to_dict(settings),
            "fingerprint": model.prepared.dataset.fingerprint,
            "ambient_dim": nets.arch.ambient_dim,
            "latent_dim": nets.arch.latent_dim,
            "radii": [settings.r_min, settings.r_max] if method.projected else None,
            "knots": len(shell.knot_norms),
            "encoder": _described(nets.arch.encoder, settings.arch),
            "decoder": _described(nets.arch.decoder, settings.arch),
        }
    )
    with torch.no_grad():
        targets = [*made.encoder.layers, *made.decoder.layers]
        for layer, (weight, bias), target in zip(
            nets.arch.layers, nets.tensors, targets, strict=True
        ):
            _fill(target, layer, weight[0], bias[0, 0])
    for name, values in (
        *(("center", shell.center), ("norms", shell.knot_norms)),
        ("knots", shell.knot_radii),
    ):
        made.register_buffer(name, torch.tensor(array(values), dtype=torch.float64))
    return made.eval()


def _described(layers: tuple[Layer, ...], arch: str) -> list[tuple[Any, ...]]:
    """The layers as `plain_model` builds them: kinds and sizes."""
    if not all(layer.plain for layer in layers):
        raise RequestError(f"The architecture {arch} has layers that plain PyTorch has none for.")
    return [layer.plain for layer in layers]


def _fill(target: Any, layer: Layer, weight: Tensor, bias: Tensor) -> None:
    """Copy weights; products here are values @ weight, those of plain layers are transposed."""
    kind, *sizes = layer.plain
    if kind == "free_variances":
        target.log_variance.copy_(bias)
        return
    if kind == "coupling":  # the inverse of I − L, L below the diagonal, as one product
        unit = torch.eye(len(weight), dtype=torch.float64)
        lower = weight.double().tril(-1)
        target.weight.copy_(torch.linalg.solve_triangular(unit - lower, unit, upper=False))
        return
    if kind.endswith(("_reader", "_writer")):
        target.weight.copy_(weight.flatten())
        target.bias.copy_(bias)
        return
    if kind == "halving":  # rows, columns and channels of a window × channels
        weight = weight.view(4, 4, sizes[0][2], -1).permute(3, 2, 0, 1)
    elif kind == "doubling":
        weight = weight.view(-1, 4, 4, sizes[1][2]).permute(0, 3, 1, 2)
    else:
        weight = weight.T
    target.weight.copy_(weight)
    target.bias.copy_(bias)


def write_module(model: PlainVAE, path: Path) -> tuple[Path, Path]:
    """Write a Python file that needs torch alone, and its weights beside it, as .pt."""
    beside = path.with_suffix(".pt")
    source = Path(plain_model.__file__).read_text(encoding="utf-8")
    weights = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    try:
        path.write_text(source, encoding="utf-8")
        torch.save({"about": model.about, "weights": weights}, beside)
    except OSError as error:
        raise refusal(str(path), path, error) from error
    except RuntimeError as error:  # what torch makes of a full disk
        raise RequestError(
            f"{beside} cannot be written; make room, or name a file on another disk."
        ) from error
    return path, beside


def write_program(model: PlainVAE, path: Path) -> tuple[Path, Path]:
    """Write encoder and decoder by torch.export, for any number of rows; returns the two paths."""
    paths = _both(path)
    for half, example, file in zip(_halves(model), _examples(model), paths, strict=True):
        program = torch.export.export(half, (example,), dynamic_shapes=(_ROWS,))
        torch.export.save(program, file)
    return paths


def write_onnx(model: PlainVAE, path: Path) -> tuple[Path, Path]:
    """Write encoder and decoder as ONNX; RequestError where what that takes is not installed."""
    if importlib.util.find_spec("onnxscript") is None:
        raise RequestError(
            "ONNX needs packages that are not installed: pip install "
            "'spherical-vae-explorer[onnx]'."
        )
    paths = _both(path)
    names = (["points"], ["mean", "log_variance"]), (["z"], ["points"])
    for half, example, file, (given, made) in zip(
        _halves(model), _examples(model), paths, names, strict=True
    ):
        torch.onnx.export(
            half,
            (example,),
            str(file),
            input_names=given,
            output_names=made,
            dynamic_shapes=(_ROWS,),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    return paths


_ROWS = {0: torch.export.Dim("rows")}


def _halves(model: PlainVAE) -> tuple[nn.Module, nn.Module]:
    return model.encoder, model.decoder


def _examples(model: PlainVAE) -> tuple[Tensor, Tensor]:
    return tuple(torch.ones(2, model.about[name]) for name in ("ambient_dim", "latent_dim"))  # type: ignore[return-value]


def _both(path: Path) -> tuple[Path, Path]:
    """model.onnx -> model.encoder.onnx and model.decoder.onnx."""
    encoder, decoder = (
        path.with_suffix(f".{half}{path.suffix}") for half in ("encoder", "decoder")
    )
    return encoder, decoder
