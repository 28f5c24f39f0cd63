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
from svae_core.distributions.gaussian import array
from svae_core.integrations import plain_model
from svae_core.integrations.plain_model import PlainVAE
from svae_core.methods import CustomPosterior, title_of
from svae_core.nets.convolution import Doubling, Grid, Halving
from svae_core.nets.layer_stack import Layer, Stack
from svae_core.nets.networks import Networks
from svae_core.nets.residual import Block
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
    encoder, decoder = _described(nets.encoder), _described(nets.decoder)
    if nets.coupled:
        decoder.append(["linear", nets.arch.ambient_dim, nets.arch.ambient_dim])
    made = PlainVAE(
        {
            "settings": settings_to_dict(settings),
            "fingerprint": model.prepared.dataset.fingerprint,
            "ambient_dim": nets.arch.ambient_dim,
            "latent_dim": nets.arch.latent_dim,
            "free_variances": nets.linear,
            "radii": [settings.r_min, settings.r_max] if method.projected else None,
            "knots": len(shell.knot_norms),
            "encoder": encoder,
            "decoder": decoder,
        }
    )
    with torch.no_grad():
        _fill(made.encoder.layers, nets.encoder)
        _fill(made.decoder.layers, nets.decoder)
        _fill_others(made, nets)
    for name, values in (
        *(("center", shell.center), ("norms", shell.knot_norms)),
        ("knots", shell.knot_radii),
    ):
        made.register_buffer(name, torch.tensor(array(values), dtype=torch.float64))
    return made.eval()


def _described(stack: Stack) -> list[list[Any]]:
    """The layers of a stack as `plain_model` builds them: kinds and sizes."""
    layers: list[list[Any]] = []
    for layer in stack.layers:
        layers.append(_description(layer))
        if layer.activated and layer is not stack.layers[-1]:
            layers.append(["tanh"])
    return layers


def _description(layer: Layer) -> list[Any]:
    if isinstance(layer, Halving | Doubling):
        kind = "halving" if isinstance(layer, Halving) else "doubling"
        return [kind, _sizes(layer.given), _sizes(layer.made)]
    if isinstance(layer, Block):
        return ["block", layer.width, layer.depth]
    return ["linear", layer.fan_in, layer.fan_out]


def _sizes(grid: Grid) -> list[int]:
    return [grid.height, grid.width, grid.channels]


def _fill(layers: nn.Sequential, stack: Stack) -> None:
    """Copy weights; products here are values @ weight, those of plain layers are transposed."""
    targets = [layer for layer in layers if not isinstance(layer, nn.Tanh)]
    for layer, target, tensors in zip(stack.layers, targets, stack.tensors, strict=False):
        weight, bias = tensors.weight[0], tensors.bias[0].reshape(-1)
        if isinstance(layer, Halving):  # rows, columns and channels of a window × channels
            weight = weight.view(4, 4, layer.given.channels, -1).permute(3, 2, 0, 1)
        elif isinstance(layer, Doubling):
            weight = weight.view(-1, 4, 4, layer.made.channels).permute(0, 3, 1, 2)
        else:
            weight = weight.T
            target = target.linear if isinstance(target, plain_model.Block) else target
        target.weight.copy_(weight)  # type: ignore[operator]
        target.bias.copy_(bias)  # type: ignore[operator]


def _fill_others(made: PlainVAE, nets: Networks) -> None:
    """Free variances, and the inverse of an autoregressive decoder's couplings as a layer."""
    if made.encoder.free_log_variance is not None:
        made.encoder.free_log_variance.copy_(nets.log_variances[0, : nets.arch.latent_dim])
    if nets.coupled:
        last = made.decoder.layers[-1]
        coupling = nets.couplings()[0].double()
        unit = torch.eye(len(coupling), dtype=torch.float64)
        last.weight.copy_(torch.linalg.solve_triangular(unit - coupling, unit, upper=False))  # type: ignore[operator]
        last.bias.zero_()  # type: ignore[operator]


def write_module(model: PlainVAE, path: Path) -> tuple[Path, Path]:
    """Write a Python file that needs torch alone, and its weights beside it, as .pt."""
    beside = path.with_suffix(".pt")
    source = Path(plain_model.__file__).read_text(encoding="utf-8")
    weights = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    try:
        path.write_text(source, encoding="utf-8")
        torch.save({"about": model.about, "weights": weights}, beside)
    except (OSError, RuntimeError) as error:
        raise RequestError(f"{path} cannot be written: {error}.") from error
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
