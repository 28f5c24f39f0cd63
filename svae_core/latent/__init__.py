"""Looking into a trained model: latent maps, traversals, samples, images, exports.

`explore` answers questions about latent spaces with the records of `results`; `projection` is
PCA and live UMAP; `sample_quality` compares samples with data; `exports` writes tables.
"""
