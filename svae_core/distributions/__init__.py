"""Distributions of the latent variable: sampling, log-density and KL, each formula once.

`gaussian` holds the diagonal Gaussian posterior and the protocol of all posteriors; the other
modules hold one family each: on the unit sphere, in polar form, at the end of a Markov chain, under
a mixture of two levels. Everything is in nats.
Methods, training and certificates use it; it uses no other package.
"""
