"""The training loop: many models as one batch, in slices that can be resumed on any worker.

The door is `loop`: begin, advance, certify. `trainer` gives each member to `native` code or to
torch (`torch_steps`, `objective`). `batch_context` caches what depends on the settings alone,
`members` holds a method with its numbers and memory, `evaluate` measures a model.
"""
