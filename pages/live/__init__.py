"""Runs while they are watched: the registry of live runs, their history, and saving them.

The door is `registry`; `run` is one live run, `shared_training` the computation that runs with
equal settings share, `persistence` writes runs to disk. It knows neither pages nor widgets.
"""
