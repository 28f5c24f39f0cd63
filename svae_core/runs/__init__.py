"""Saved runs: written while they train, listed, exported and imported; never unpickled.

`folder` writes and reads one run, `manifest` is its run.json, `tensors` its arrays; `store` lists
and deletes runs, `transfer` exports one as a ZIP, `data_without_points` stores what a fitted model
(`fitted_model`) needs of its data. `recorder` saves a run while it trains and resumes it,
`comparison_folders` names the folders of a saved comparison.
"""
