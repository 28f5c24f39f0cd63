"""The training loop: many models as one batch, in slices that can be resumed on any worker.

The door is `loop`: begin, advance, certify. `objective` combines D and KL into each method's
loss, `batch_loss` and `autograd_leaves` hold the gradients written by hand, `context` caches what
depends on the settings alone, `groups` batches models of one method, `evaluate` measures a model.
"""
