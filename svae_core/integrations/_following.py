"""What the callbacks of all trainers do: read at the end of an epoch, certify at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable

from svae_core.certificate.arrays import is_whole
from svae_core.integrations import report
from svae_core.integrations.pytorch import CollapseMonitor, Reading
from svae_core.records import Certificate, RequestError

_log = logging.getLogger(__name__)
#: Takes numbers by name and a step; a trainer's own logging.
Log = Callable[[dict[str, float], int], object]


class Following:
    """A monitor with what it saw: `readings`, every `every` epochs, and the `certificate`."""

    def __init__(self, monitor: CollapseMonitor, every: int = 1) -> None:
        super().__init__()
        if not is_whole(every, 1):
            raise RequestError(
                f"every is {every!r}, but must be a whole number of epochs, 1 or more."
            )
        self.monitor, self.every = monitor, every
        self.readings: list[Reading] = []
        self.certificate: Certificate | None = None
        self._epochs = 0

    def read(self, step: int, log: Log) -> None:
        """The end of an epoch: take a reading if it is due, and log its numbers."""
        self._epochs += 1
        if self._epochs % self.every == 0:
            self.readings.append(self.monitor.step(step))
            log(report.scalars(self.readings[-1]), step)

    def certify(self) -> None:
        """The end of training. A refusal is logged: raised, it would take the model away."""
        try:
            self.certificate = self.monitor.certify()
        except RequestError as refusal:
            _log.warning("There is no certificate. %s", refusal)
