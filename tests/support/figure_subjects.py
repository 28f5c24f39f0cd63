"""What figures are drawn of in tests, and how a test looks into one."""

from __future__ import annotations

import functools

import plotly.graph_objects as go

from svae_core.problem import prepare
from svae_core.records import Problem, Settings

OPTIONS = (("ambient_dim", 6), ("number", 3), ("points", 150))
SETTINGS = Settings(dataset="clusters", dataset_options=OPTIONS, clusters=3, band=(0.1, 0.4))


@functools.cache
def three_clusters() -> Problem:
    """Three clusters and a band with a lower edge."""
    return prepare(SETTINGS)


@functools.cache
def an_empty_band() -> Problem:
    settings = Settings(clusters=10, collapse_loss="between", n_points=400)
    problem = prepare(settings)
    assert problem.region.empty
    return problem


def trace_of(figure: go.Figure, name: str) -> go.Scatter:
    return next(trace for trace in figure.data if trace.name == name)


def notes_of(figure: go.Figure) -> str:
    return " | ".join(str(note.text) for note in figure.layout.annotations)
