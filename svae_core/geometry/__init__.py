"""Geometry of the data: the spherical shell, K-means clusters, and the feasible region.

`shell` maps points to radii between r_min and r_max and back; `kmeans` gives W, B and T;
`region` gives δ_collapse, the band between W and δ, and the penalty weight.
`row_blocks` iterates over large arrays with little memory. NumPy and scikit-learn, no torch.
"""
