"""Execution of pure calls in worker processes of this machine or on a Dask cluster.

The door is `engine.Engine`. `scheduler` decides which call runs next, `workers` are the processes,
`dask_cluster` runs calls on other machines. The web server itself loads neither torch nor numba.
"""
