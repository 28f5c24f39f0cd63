"""Encoders and decoders for a batch of models: every tensor has a leading member axis.

The door is `networks`; `architectures` says which layers each architecture has, and `stack`,
`convolution` and `residual` are the layers, with gradients written by hand.
`autoregressive` is the decoder that also sees the coordinates before the one it predicts.
"""
