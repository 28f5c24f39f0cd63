"""Runs in training on this server: their registry, their history, and saving them to disk.

The door is `registry`; `run` is one live run, a position in a `shared_training`, whose `history`
all runs with equal settings share; `run_view` is a run at one instant, for pages and messages;
`persistence` writes runs to disk. It knows neither screens nor widgets.
"""
