"""Encoders and decoders for a batch of models: every tensor has a leading member axis.

The door is `networks`; `architectures` lists the layers of each architecture; `stack`,
`convolution` and `residual` implement the layers, with gradients written by hand.
`autoregressive` is the decoder that also conditions on the coordinates before the predicted one.
"""
