"""Where every subject stood at the close of each of the last weeks, for sparks and for what changed.

Put together beside the event loop, for a past close hardly ever changes; the last value is today's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from app.web.pages.desk import Ask
from sync import retell
from sync.context import Context
from sync.history import moment
from sync.present import views

WEEKS = 13

Values = dict[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weeks:
    """The closes of past weeks, oldest first, each with the progress of every subject by id."""

    days: tuple[date, ...] = ()
    values: tuple[Values, ...] = ()

    def of(self, id_: str, now: float | None) -> list[float | None]:
        """Return the progress of a subject at each close, and now."""
        return [*(one.get(id_) for one in self.values), now]

    def before(self, id_: str) -> float | None:
        """Return the progress of a subject a week ago, None where it had none or that is not known yet."""
        return self.values[-1].get(id_) if self.values else None

    @property
    def since(self) -> date | None:
        """The day of the last of the closes."""
        return self.days[-1] if self.days else None


async def weeks(ask: Ask) -> Weeks | None:
    """Return the last weeks before the day asked about; None where they are on their way."""
    until = ask.today
    memory = ask.desk.memory
    key = f"{ask.context.workspace.digest}/weeks/{until}"
    stamp = f"{ask.now:%Y-%m-%d %H}"
    found = await memory.get(ask.context, key, stamp, lambda context: closes(context, until), patience=0.5)
    return found.doc if found is not None else None


async def closes(context: Context, until: date) -> Weeks:
    """Compute the closes of the weeks before a day."""
    days = tuple(until - timedelta(weeks=n) for n in range(WEEKS - 1, 0, -1))
    return Weeks(days=days, values=tuple([await close(context, day) for day in days]))


async def close(context: Context, day: date) -> Values:
    """Compute the progress of every subject at the close of a day."""
    found = views(context.workspace, await retell.standing(context, day), moment(context, day))
    by_kind: tuple[Mapping[str, Any], ...] = (found.objectives, found.key_results)
    values: Values = {id_: one.value for kind in by_kind for id_, one in kind.items()}
    values.update({id_: one.progress.value for id_, one in found.initiatives.items()})
    return values
