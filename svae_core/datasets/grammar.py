"""A grammar of known entropy

Sentences of a small grammar: a name (one of 5), a verb (2) and an object (2), chosen independently
and spelt out letter by letter. Every one of the 20 sentences is made equally often, so what a point
says is known exactly: log 20 = 2.996 nats, far below log N. No latent code can hold more of it, and
a model that reconstructs without error holds all. Labels are the names.

Source: generated here from the seed; needs no network
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from svae_core.datasets._sequences import PAD, coordinates, one_hot
from svae_core.records import Dataset, option

LICENCE = "generated; no licence needed"
_NAMES = ("ann", "ben", "carla", "dora", "emil")
_VERBS = ("sees", "likes")
_OBJECTS = ("cats", "tea")
_SENTENCES = tuple(map(" ".join, itertools.product(_NAMES, _VERBS, _OBJECTS)))
_LENGTH = max(map(len, _SENTENCES))
_SYMBOLS = (*sorted(set("".join(_SENTENCES))), PAD)


@dataclass(frozen=True)
class Config:
    """The number of sentences."""

    repeats: int = option(
        50, "how often each of the 20 sentences is made", low=3, high=2_000, step=1
    )


def load(config: Config, seed: int) -> Dataset:
    """Points [20 · repeats, d], one-hot characters; the seed decides their order."""
    every = np.repeat(np.arange(len(_SENTENCES)), config.repeats)
    chosen = np.random.default_rng(seed).permutation(every)
    texts = [_SENTENCES[index] for index in chosen]
    return Dataset(
        name="grammar",
        title="A grammar of known entropy",
        points=one_hot(texts, _SYMBOLS, _LENGTH),
        labels=chosen // (len(_VERBS) * len(_OBJECTS)),
        label_names=_NAMES,
        feature_names=coordinates(_SYMBOLS, _LENGTH),
        row_names=np.array(texts),
        symbols=_SYMBOLS,
        notes=(f"The entropy of a point is log 20 = {np.log(len(_SENTENCES)):.4f} nats, exactly.",),
    )
