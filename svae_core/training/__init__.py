"""The only training loop: many models as one batch, in slices that can go on anywhere.

The door is `loop`: begin, advance, certify. `objective` puts a method's terms together,
`batch_loss` and `autograd_boundary` hold the gradients written by hand, `context` what follows
from the settings alone, `groups` models with one method, `evaluate` a model at one moment.
"""
