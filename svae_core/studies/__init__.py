"""Studies of many runs: grids, sweeps, method comparisons, counter-example searches, scores.

`grid` lists runs; `sweep`, `comparison` and `attack` train them slice by slice; `measure` and
`scores` evaluate them; `cells` aggregates a sweep for the phase map; `jsonl` appends results to a
file.
"""
