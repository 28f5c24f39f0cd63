"""Phase diagrams: `maps` draws them, `words` describes them, `exports` writes them to files."""

from svae_core.figures.phase.axes import AXES, STATISTICS, SYMBOLS, View
from svae_core.figures.phase.exports import cells_csv, maps_html, maps_json
from svae_core.figures.phase.maps import colour_range, phase_map, shown
from svae_core.figures.phase.words import cell_table, describe_map, describe_staircase, place

__all__ = [
    "AXES",
    "STATISTICS",
    "SYMBOLS",
    "View",
    "cell_table",
    "cells_csv",
    "colour_range",
    "describe_map",
    "describe_staircase",
    "maps_html",
    "maps_json",
    "phase_map",
    "place",
    "shown",
]
