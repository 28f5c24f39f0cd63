"""The attack on `certify`: every adversary and every honest model, and what came of it.

    PYTHONPATH=. python tests/benchmarks/bench_attack_certify.py > attack_certify.md

Named models are those of tests/adversaries.py. The search then draws models at random: an answer
(means, noise about the mean, stored rows, another row's, a mixture), noise of some width (of each
row, of all, fixed by a seed), a habit (in place, a reused buffer), and a posterior (none, the
prior, a weak one, the true one). Whether such a model may be certified is computed past `certify`:
its D′ from 200 clean draws of rows one by one, and its floor there against its KL.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from svae_core.certificate.certify import certify, reference
from svae_core.certificate.information_floors import floors_at
from svae_core.distributions.gaussian import gaussian_kl
from svae_core.records import RequestError

sys.path.insert(0, str(Path(__file__).parent.parent))
from adversaries import ADVERSARIES, MEAN, POINTS, SPREAD, Case
from honest_models import HONEST

Answer = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Drawn:
    """A model that the search drew."""

    answer: str
    width: float
    noise: str
    habit: str
    posterior: str


def outcome(reconstruct: Any, posterior: Any, draws: int | None = None) -> tuple[str, str]:
    """The verdict, or "refused", and the sentence."""
    points = POINTS.copy()
    try:
        found = certify(reconstruct, points, posterior=posterior, clusters=3, draws=draws)
    except RequestError as refusal:
        return "refused", str(refusal)
    finally:
        assert np.array_equal(points, POINTS), "the caller's points were changed"
    return found.verdict, found.sentence


def named(cases: tuple[Case, ...]) -> None:
    """The table of named models."""
    print("| model | tries | outcome | sentence |\n|---|---|---|---|")
    for case in cases:
        torch.manual_seed(0)
        reconstruct, posterior = case.make(np.random.default_rng(7))
        verdict, sentence = outcome(reconstruct, posterior, case.draws)
        print(f"| {case.name} | {case.tries} | {verdict} | {sentence.replace('|', '/')} |")


ANSWERS: dict[str, Answer] = {
    "means": lambda x, rng: 0.9 * x,
    "the data's mean": lambda x, rng: np.broadcast_to(MEAN, x.shape).copy(),
    "a random row": lambda x, rng: POINTS[rng.integers(0, len(POINTS), len(x))],
    "the next row": lambda x, rng: np.roll(x, 1, axis=0),
    "stored rows": lambda x, rng: POINTS[np.arange(len(x)) % len(POINTS)],
    "means, one in ten": lambda x, rng: np.where(rng.random((len(x), 1)) < 0.1, x, MEAN),
    "means, or far off": lambda x, rng: np.where(rng.random((len(x), 1)) < 0.7, x, -9.0 * x),
}
WIDTHS = (0.0, 1e-5, 1e-2, 0.1, 0.5, 1.2)
NOISES = ("each row's own", "one for all rows", "fixed seed")
HABITS = ("none", "scales its input", "zeroes its input", "one buffer")
POSTERIORS = ("none", "prior", "weak", "strong")


def drawn(rng: np.random.Generator) -> Drawn:
    """A model at random."""
    pick = rng.choice
    return Drawn(
        str(pick(list(ANSWERS))),
        float(pick(WIDTHS)),
        str(pick(NOISES)),
        str(pick(HABITS)),
        str(pick(POSTERIORS)),
    )


def clean(model: Drawn, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Its answers, without its habits."""
    source = np.random.default_rng(0) if model.noise == "fixed seed" else rng
    shape = (1, x.shape[1]) if model.noise == "one for all rows" else x.shape
    return ANSWERS[model.answer](x, rng) + model.width * source.normal(size=shape)


def with_habits(model: Drawn, rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """The function that is given to `certify`."""
    buffer = np.empty(POINTS.shape)

    def reconstruct(x: np.ndarray) -> np.ndarray:
        answer = clean(model, x.copy(), rng)
        if model.habit == "scales its input":
            x *= 0.05
        if model.habit == "zeroes its input":
            x[:] = 0.0
        if model.habit == "one buffer":
            buffer[:] = answer
            return buffer
        return answer

    return reconstruct


def posterior_of(model: Drawn) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]] | None:
    """What it says of its latents."""
    scale = {"prior": 0.0, "weak": 0.02, "strong": 6.0}.get(model.posterior)
    return None if scale is None else lambda x: (scale * x, np.zeros_like(x))


class Truth:
    """Whether a certificate may be given, past `certify`."""

    def __init__(self) -> None:
        self.against = reference(POINTS, None, 3)
        self.radius = self.against.floors.radii[1]
        self.origin = POINTS.mean(axis=0, dtype=np.float64)

    def why_not(self, model: Drawn) -> str:
        """The reason, or an empty text where a certificate is right."""
        rng = np.random.default_rng(99)
        losses = []
        for _ in range(200):
            # Rows in random order, so that what goes by row number is an answer to chance.
            order = rng.permutation(len(POINTS))
            answers = clean(model, POINTS[order], rng).astype(np.float64) - self.origin
            norms = np.linalg.norm(answers, axis=1, keepdims=True)
            answers *= np.minimum(1.0, self.radius / np.maximum(norms, 1e-300))
            losses.append(((answers - (POINTS[order] - self.origin)) ** 2).sum(axis=1).mean())
        loss = float(np.mean(losses))
        if loss >= SPREAD:
            return "D′ is not below δ"
        posterior = posterior_of(model)
        if posterior is not None:
            kl = float(gaussian_kl(*posterior(POINTS)).sum(axis=1).mean())
            if floors_at(self.against.floors, loss).proved > 1.05 * kl + 1e-5:
                return "it carries more than its posterior lets through"
        return ""


def search(count: int, seed: int) -> None:
    """Models at random, and how many of them had a certificate that they should not have."""
    rng, truth = np.random.default_rng([seed, 61]), Truth()
    counts: Counter[tuple[str, str]] = Counter()
    false: list[str] = []
    for index in range(count):
        model = drawn(rng)
        why = truth.why_not(model)
        source = np.random.default_rng([seed, index])
        verdict, _ = outcome(with_habits(model, source), posterior_of(model))
        counts[why or "right", verdict] += 1
        if verdict == "certified" and why:
            false.append(f"{model}: {why}")
    verdicts = ("certified", "not certified", "collapsed", "refused")
    print("| a certificate would be | " + " | ".join(verdicts) + " |\n|---|" + "---:|" * 4)
    for why in sorted({key[0] for key in counts}):
        label = why if why == "right" else f"false: {why}"
        print(f"| {label} | " + " | ".join(str(counts[why, v]) for v in verdicts) + " |")
    print(f"\nFalse certificates: {len(false)} of {count}.")
    for line in false:
        print(f"* {line}")


def main() -> None:
    """Both tables."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--models", type=int, default=300)
    words.add_argument("--seed", type=int, default=0)
    asked = words.parse_args()
    print("# The attack on certify\n")
    print("`python tests/benchmarks/bench_attack_certify.py`, python", platform.python_version())
    print("\n## Models that should not be certified\n")
    named(ADVERSARIES)
    print("\n## Honest models\n")
    named(HONEST)
    print(f"\n## A search over {asked.models} models\n")
    search(asked.models, asked.seed)


if __name__ == "__main__":
    main()
