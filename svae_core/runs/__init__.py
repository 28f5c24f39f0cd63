"""Runs on disk: written while they train, listed, moved between machines; never unpickled.

`folder` writes and reads one run, `manifest` is its run.json, `tensors` its arrays; `store` lists
and deletes runs, `transfer` packs one as a ZIP, `slim` keeps what a fitted model needs of its data.
"""
