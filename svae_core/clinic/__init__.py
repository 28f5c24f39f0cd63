"""The clinic: has a model collapsed, why, and what would help; for anyone's loss, model or run.

    diagnose_loss(loss, points, latent_dim)  what the reductions of a training loss imply
    gauge_of(function, points, latent_dim)   the same of any loss that torch can differentiate

It imports data and certificates, never training; commands and pages come in here.
"""
