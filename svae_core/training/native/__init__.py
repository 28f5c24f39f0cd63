"""A slice of training as native code: affine layers, Gaussian posteriors, methods of averages.

The door is `compiled`: kernels() gives the compiled functions, or the reason why there are none.
`elementary` holds tanh and exp, `kernels` the steps of one member, `steps` drives them for a batch.
Only workers and commands that train come in: importing numba takes a third of a second and 90 MB.
"""
