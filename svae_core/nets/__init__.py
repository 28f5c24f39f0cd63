"""Encoders and decoders for a batch of models: every tensor has a leading member axis.

The door is `networks`. `architectures/` has one file for each architecture: its layers, and what
kinds of layer it alone needs; `layers` says what a layer is. Gradients come from autograd.
"""
