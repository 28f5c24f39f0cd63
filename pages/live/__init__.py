"""Runs in training on this server: their registry, their history, and saving them to disk.

The door is `registry`; `run` is one live run, a position in a `shared_training`, whose `history`
all runs with equal settings share, shown at its `pace`; `run_view` is a run at one instant;
`persistence` writes runs to disk. It knows neither screens nor widgets.
"""
