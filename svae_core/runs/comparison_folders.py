"""The folders of a comparison that is saved: a batch each while it trains, a run each at its end.

    comparison = ComparisonFolders(runs)
    comparison.batch(members)          # About of the batch; its folder is there until all is done
    comparison.run(settings)           # About of a run; its folder appears at the end

Runs of one method train as one batch, and so they are written. What belongs together is in the page
of each batch, and all names follow from it: from any batch, whoever wrote it and wherever that
process was killed, the comparison can be taken up and ends in the same folders.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from svae_core.config.settings import settings_from_dict, settings_key, settings_to_dict
from svae_core.records import RequestError, Settings
from svae_core.runs.folder import folder_name, home
from svae_core.runs.manifest import About, new_id

#: The word under which a batch's page keeps its comparison.
PAGE = "comparison"


@dataclass(frozen=True)
class ComparisonFolders:
    """What all folders of one comparison know of each other."""

    runs: tuple[Settings, ...]
    id: str = field(default_factory=new_id)  # the ids of its folders follow from it
    created: float = field(default_factory=time.time)
    place: Path = field(default_factory=home)  # where they lie side by side

    def batch(self, members: tuple[Settings, ...]) -> About:
        """What is known of a batch before it trains."""
        plain = {
            "id": self.id,
            "created": self.created,
            "runs": [settings_to_dict(settings) for settings in self.runs],
        }
        about = About(members, id=self._id("batch", members), created=self.created)
        return dataclasses.replace(about, page={PAGE: plain})

    def run(self, settings: Settings) -> About:
        """What is known of a run of the comparison by itself."""
        return About((settings,), id=self._id("run", (settings,)), created=self.created)

    def folder(self, about: About) -> Path:
        """Where a run or batch is, or will be."""
        return self.place / folder_name(about)

    def _id(self, kind: str, members: tuple[Settings, ...]) -> str:
        """Not to be guessed by those who do not know the comparison's."""
        words = "\n".join([self.id, kind, *map(settings_key, members)])
        return hashlib.sha256(words.encode()).hexdigest()[:32]


def comparison_of(about: About, place: Path) -> ComparisonFolders | None:
    """The comparison that a batch in this place belongs to; None where it is a run by itself.

    RequestError where what its page says of it makes no sense.
    """
    plain: Any = about.page.get(PAGE)
    if plain is None:
        return None
    try:
        runs = tuple(settings_from_dict(dict(one)) for one in plain["runs"])
        found = ComparisonFolders(runs, str(plain["id"]), float(plain["created"]), place)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RequestError(f"The comparison of this run cannot be read ({error}).") from error
    if not set(about.members) <= set(runs) or not 0 <= found.created < 2**40:
        raise RequestError("The comparison of this run cannot be read: it is of other runs.")
    return found
