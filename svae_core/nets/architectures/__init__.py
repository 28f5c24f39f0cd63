"""Architectures, one file each: `layers(d, k, hidden, image)` of an encoder and a decoder.

A file's name is the architecture's name. Its function returns the layers (see `nets.layers`) of an
encoder d → 2k, means and then log-variances, and of a decoder k → d, one after another; names of
the decoder's layers begin with "decoder". `image`: height and width, where points are images.
An architecture that reads points step by step has `step_layers(d, k, hidden, steps)` instead, with
the number of steps and the coordinates of each: a symbol of a sequence, a row of an image, or else
a coordinate. A decoder whose last layer is `teacher_forced` predicts each step from those before;
its file says so by `AUTOREGRESSIVE = True`, which is read without importing the file, and torch.
Raises RequestError for data that the architecture does not take.
"""

from svae_core.config.home import own_plugins

__path__ += own_plugins("architectures")
