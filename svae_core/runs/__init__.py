"""Saved runs: written while they train, listed, exported and imported; never unpickled.

`folder` writes and reads one run, `manifest` is its run.json, `tensors` its arrays; `store` lists
and deletes runs, `transfer` exports one as a ZIP, `slim` stores what a fitted model needs of its
data.
"""
