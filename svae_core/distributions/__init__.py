"""Distributions of the latent variable: sampling, log-density and KL, each formula once.

`gaussian` holds the diagonal Gaussian posterior and the protocol of all posteriors;
`von_mises_fisher` holds the posterior on the unit sphere. Everything is in nats.
Methods, training and certificates use it; it uses no other package.
"""
