"""Figures of a run for papers: every view of the stage as SVG, in light colours, from frames alone.

`views.draw(name, run, look)` is the door; the command line and the browser's download use it.
"""
