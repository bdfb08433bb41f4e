"""Where every subject stood at the close of each of the last weeks, for sparks and for what changed.

Put together beside the event loop, for a past close hardly ever changes; the last value is today's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from app.web.pages.desk import Ask
from domain.facts import Progress
from rollup.scope import all_initiatives, contributors, scope_of
from rollup.views import evaluate
from storage.views import Present
from sync.answers import now_there
from sync.context import Context
from sync.history import moment, replay_of
from sync.present import created, freshness

WEEKS = 13
LITTLE = 0.5
"""seconds that a page waits for its sparks; without them it says that they are on their way"""

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
    stamp = f"{ask.now.hour // 6} {sorted(ask.there.complete_to)}"
    found = await memory.get(
        ask.context, key, stamp, lambda context: closes(context, until), lane="history", patience=LITTLE
    )
    return found.doc if found is not None else None


async def closes(context: Context, until: date) -> Weeks:
    """Compute the closes of the weeks before a day: each scope's history is read once, and walked through.

    A spark needs no forecast and no health, so none is computed.
    """
    days = tuple(until - timedelta(weeks=n) for n in range(WEEKS - 1, 0, -1))
    there = await now_there(context)
    made = created(there.created)
    served = [id_ for id_, shares in contributors(context.workspace, made).items() if shares]
    delivered: list[dict[str, Progress]] = [{} for _ in days]
    for id_ in (*served, *all_initiatives(context.workspace, made)):
        scope = scope_of(context.workspace, id_, made)
        async with context.store.read() as tx:
            found = await replay_of(tx, context, scope, moment(context, days[0]), moment(context, days[-1]))
        by_day = {one.day: one.progress for one in found.days}
        last = found.before
        for day, known in zip(days, delivered, strict=True):
            last = by_day.get(day, last)
            known[id_] = last
    return Weeks(
        days=days,
        values=tuple(values(context, there, day, known) for day, known in zip(days, delivered, strict=True)),
    )


def values(context: Context, there: Present, day: date, delivered: Mapping[str, Progress]) -> Values:
    """Return the progress of every subject at the close of a day, from what was delivered by then."""
    at = moment(context, day)
    found = evaluate(
        context.workspace,
        delivered,
        check_ins=[one for one in there.check_ins if one.as_of <= at],
        manual_since=there.manual_since,
        freshness=freshness(context.workspace, there.complete_to, at),
        extra_initiatives=created(there.created),
        now=at,
    )
    told: Values = {id_: one.value for id_, one in found.objectives.items()}
    told.update({id_: one.value for id_, one in found.key_results.items()})
    told.update({id_: one.progress.value for id_, one in found.initiatives.items()})
    return told
