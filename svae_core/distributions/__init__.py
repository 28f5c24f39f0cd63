"""Distributions of the latent variable: sampling, log-density and KL, each formula once.

`gaussian` holds the diagonal Gaussian posterior and what any posterior can be asked;
`von_mises_fisher` holds the posterior on the unit sphere. Everything is in nats.
Methods, training and certificates use it; it uses no other package.
"""
