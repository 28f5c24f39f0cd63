"""The clinic: has a model collapsed, why, and what would help; for anyone's loss, model or run.

    diagnose_loss(loss, points, latent_dim)  what the reductions of a training loss imply
    gauge_of(function, points, latent_dim)   the same of any loss that torch can differentiate
    diagnose(patient, rows)                  the cause of a collapse, from reruns; a prescription
    diagnose_arrays(points, …)               what a model's arrays say of it

It imports data, certificates and plans of reruns; `moved_copies` alone trains. Commands and pages
come in here.
"""
