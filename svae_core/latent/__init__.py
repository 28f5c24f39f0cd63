"""Analysis of trained latent spaces: maps, traversals, interpolations, samples, exports.

`explore` answers questions about latent spaces with the records of `results`; `projection` is
PCA and live UMAP, by `umap_algorithm`; `sample_quality` compares samples with data; `exports`
writes tables.
"""
