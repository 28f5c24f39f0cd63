"""Many runs compared: grids, sweeps, comparisons, searches, and their scores.

`grid` plans runs, `sweep`, `comparison` and `attack` train them slice by slice, `measure` and
`scores` evaluate them, `cells` fill the phase map, `jsonl` keeps results as they come.
"""
