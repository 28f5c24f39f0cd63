"""Steps of a Markov chain with learned densities, and the targets that anneal between two ends.

    log f_t = (1 − α_t)·log q_0(z|x) + α_t·log p(x, z),  α_t = t/T

A step q_t(z_t | z_{t−1}, x) has a reverse step r_t(z_{t−1} | z_t, x). Whatever they are, the sum of
log f_t(z_t) + log r_t − log q_t − log f_{t−1}(z_{t−1}) over t = 1 … T is the hierarchical bound's
log p(x, z_T) + Σ (log r_t − log q_t) − log q_0(z_0), path by path: the targets in between cancel.

Source: the abstract of arXiv 1809.01818, and the code of coix (github.com/jax-ml/coix)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

from svae_core.distributions.gaussian import Gaussian

#: (a latent [..., b, k], what is seen of each point [..., b, f]) -> the law of the next one.
Step = Callable[[Any, Any], Gaussian]


def log_normal(z: Any, law: Gaussian) -> Any:
    """log N(z; m, s) + (k/2)·log 2π for each row, [..., b] nats; tensors."""
    squared = (z - law.mean) ** 2 * (-law.log_variance).exp()
    return -0.5 * (squared + law.log_variance).sum(-1)


def gated(z: Any, made: Any, shift: float) -> Gaussian:
    """N(g·m + (1 − g)·z, sd²), from `made` [..., b, 3k]: the logit of g, m, and sd before softplus.

    `shift` is taken off the logit and off what becomes sd: layers that make 0 hardly move.
    """
    logit, moved, spread = made.chunk(3, dim=-1)
    # Not torch's sigmoid: it rounds differently with an element's place in the batch.
    gate = 1.0 / (1.0 + (shift - logit).clamp_max(80.0).exp())
    deviation = (spread - shift).clamp(-30.0, 30.0).exp().log1p()
    return Gaussian(gate * moved + (1.0 - gate) * z, 2.0 * deviation.log())


@final
@dataclass(frozen=True, eq=False)
class Steps:
    """T steps and their reverses."""

    forward: tuple[Step, ...]  # q_t(z_t | z_{t−1}, x)
    backward: tuple[Step, ...]  # r_t(z_{t−1} | z_t, x)

    def taken(self, z: Any, noise: Any, seen: Any, *, apart: bool) -> Iterator[tuple[Any, Any]]:
        """z_t [..., b, k] and log q_t − log r_t [..., b] of each step, from z_0 and [..., b, T·k].

        `apart`: no gradient passes from a step to those before it.
        """
        k = z.shape[-1]
        for t, (q, r) in enumerate(zip(self.forward, self.backward, strict=True)):
            before, part = z.detach() if apart else z, noise[..., t * k : (t + 1) * k]
            law = q(before, seen)
            z = law.draw(part)
            density = -0.5 * (part * part + law.log_variance).sum(-1)
            yield z, density - log_normal(before, r(z, seen))

    def walk(self, z: Any, noise: Any, seen: Any) -> tuple[Any, Any]:
        """z_T and Σ_t (log q_t − log r_t), as `chain.Chain` asks for them."""
        taken = list(self.taken(z, noise, seen, apart=False))
        return taken[-1][0], sum(ratio for _, ratio in taken)
