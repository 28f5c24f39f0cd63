"""Where work runs: worker processes of this machine, or a Dask cluster.

The door is `engine.Engine`. `scheduler` decides which call is next, `workers` are the processes,
`dask_cluster` is the same on other machines. The web server itself loads neither torch nor UMAP.
"""
