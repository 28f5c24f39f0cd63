"""Configuration: settings with ranges and help, limits, folders, plug-ins.

The doors are `settings.Settings`, one frozen dataclass for a whole run, and `fields.option`,
which gives a field its default, range and help. `plugins` finds data sets and methods by scan,
`architectures` the names of networks.
`writable` asks for results' places before the work, `locks` keep two processes from one of them;
`compiled_code` keeps what numba has compiled.
Light: it loads neither torch nor scikit-learn. Every package may use it.
"""
