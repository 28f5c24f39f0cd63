"""The folders of a saved comparison: one per batch while it trains, one per run at its end.

    comparison = ComparisonFolders(runs)
    comparison.batch(members)          # About of a batch; its folder stays until all is done
    comparison.run(settings)           # About of a run; its folder appears at the end

Runs of one method are trained and written as one batch. The page of each batch holds the whole
comparison, and all folder names follow from it. So the comparison can be resumed from any batch,
wherever its process was killed, and ends in the same folders.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from svae_core.config.settings import settings_from_dict, settings_key, settings_to_dict
from svae_core.own_data.damage import reason_of
from svae_core.records import RequestError, Settings
from svae_core.runs.folder import folder_name, home
from svae_core.runs.manifest import LONGEST_PAGE, LONGEST_REASON, About, new_id

#: Key of `About.page` of a batch.
PAGE = "comparison"


@dataclass(frozen=True)
class ComparisonFolders:
    """The runs of one comparison, and where their folders are."""

    runs: tuple[Settings, ...]
    id: str = field(default_factory=new_id)  # the ids of its folders follow from it
    created: float = field(default_factory=time.time)
    place: Path = field(default_factory=home)  # where they lie side by side

    def batch(self, members: tuple[Settings, ...]) -> About:
        """The manifest of a batch before it trains."""
        plain = {"id": self.id, "created": self.created, "runs": _plain(self.runs)}
        about = About(members, id=self._id("batch", members), created=self.created)
        return dataclasses.replace(about, page={PAGE: plain})

    def check(self) -> None:
        """Raise RequestError if the comparison is too large to be kept with each batch."""
        if len(json.dumps(self.batch(self.runs[:1]).page)) > LONGEST_PAGE // 2:
            raise RequestError(
                f"A comparison of {len(self.runs):,} runs is too large to be saved as one; compare "
                "fewer data sets, methods or seeds at a time."
            )

    def run(self, settings: Settings) -> About:
        """The manifest of one run of the comparison."""
        return About((settings,), id=self._id("run", (settings,)), created=self.created)

    def folder(self, about: About) -> Path:
        """The folder of a run or batch; it may not exist yet."""
        return self.place / folder_name(about)

    def _id(self, kind: str, members: tuple[Settings, ...]) -> str:
        """An id that cannot be guessed without the comparison's id."""
        words = "\n".join([self.id, kind, *map(settings_key, members)])
        return hashlib.sha256(words.encode()).hexdigest()[:32]


def comparison_of(about: About, place: Path) -> ComparisonFolders | None:
    """The comparison of a batch in the folder `place`; None if the run belongs to none.

    RequestError if the comparison in its page is malformed.
    """
    plain: Any = about.page.get(PAGE)
    if plain is None:
        return None
    try:
        runs = tuple(_runs(plain["runs"]))
        found = ComparisonFolders(runs, str(plain["id"]), float(plain["created"]), place)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _damaged(about, reason_of(error)) from error
    if not set(about.members) <= set(runs) or not 0 <= found.created < 2**40:
        raise _damaged(about, "it is of other runs")
    return found


def _damaged(about: About, reason: str) -> RequestError:
    told = reason[:LONGEST_REASON]
    return RequestError(
        f"The comparison that the run {folder_name(about)} belongs to is damaged ({told}); restore "
        "its folder from a copy, or compare again."
    )


def _plain(runs: tuple[Settings, ...]) -> list[dict[str, Any]]:
    """The runs as JSON values: settings, with the seeds of consecutive runs that share them.

    A page has a limited length, and the settings of hundreds of runs would exceed it.
    """
    groups = itertools.groupby(runs, key=lambda one: dataclasses.replace(one, seed=0))
    return [
        {"settings": settings_to_dict(shared), "seeds": [one.seed for one in group]}
        for shared, group in groups
    ]


def _runs(plain: Any) -> Iterator[Settings]:
    """The inverse of `_plain`."""
    for group in plain:
        shared = settings_from_dict(dict(group["settings"]))
        for seed in group["seeds"]:
            yield settings_from_dict(settings_to_dict(shared) | {"seed": seed})
