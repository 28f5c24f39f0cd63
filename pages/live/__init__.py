"""Runs in training on this server: their registry, their history, and saving them to disk.

The door is `registry`; `run` is one live run, `shared_training` the computation that runs with
equal settings share, `persistence` writes runs to disk. It knows neither screens nor widgets.
"""
