"""The method in other people's code: their training loops, trainers, trackers and formats.

The door is `pytorch`: the shell, the band and the monitor, for any loop. Each trainer has a module
of a few lines on it; `report` writes records to trackers, `model_card` the card of a run, and
`exchange` models that need none of this package. Commands and users' own code may come in.
"""
