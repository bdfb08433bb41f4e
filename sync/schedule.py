"""The schedule: what is to be done again and again. Every replica asks for it, and the ids see that it is done once.

Only asks (`sync.jobs`); what is done, and when it is due, is said by duties.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from domain.errors import StorageError
from sync.context import utc_now
from sync.jobs import Jobs

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""All replicas count slots from here, whenever they started."""

SPREAD = timedelta(minutes=5)
"""Duties with the same rhythm are at most this far apart."""

AGAIN = timedelta(seconds=10)
"""After which a slot is asked for again that could not be asked for."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Duty:
    """A job to be done once in each slot of `every`, at least a second long."""

    job: str
    key: str
    every: timedelta

    @property
    def name(self) -> str:
        """The job and its key."""
        return f"{self.job}:{self.key}"

    @property
    def first(self) -> datetime:
        """The start of a slot: moved by a span of its own, the same in every replica, so that not all fall due at once.

        APScheduler's own jitter is drawn anew each time and adds up, which skips slots.
        """
        widest = min(SPREAD, self.every / 2) // timedelta(seconds=1)
        return EPOCH + timedelta(seconds=zlib.crc32(self.name.encode()) % (widest + 1))

    def slot(self, now: datetime) -> str:
        """Return the id of the job for the slot that `now` lies in; it names the slot by its start."""
        begun = self.first + (now - self.first) // self.every * self.every
        return f"{self.name}:{begun:%Y-%m-%dT%H:%M:%SZ}"


class Schedule:
    """Asks for duties in time, in the running loop.

    A duty is also asked for when it is new here, for the slot that is going on: what was missed while nothing ran is
    made up for at once, and what another replica or the process before has done already is not done again.
    """

    def __init__(self, jobs: Jobs, duties: Iterable[Duty] = (), *, now: Callable[[], datetime] = utc_now) -> None:
        self._jobs = jobs
        self._now = now
        self._duties = {duty.name: duty for duty in duties}
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            # a late wake-up is worth as much as one in time, several missed ones are worth one
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Begin to ask."""
        self._scheduler.start()
        for duty in self._duties.values():
            self._take_on(duty)

    def replace(self, duties: Iterable[Duty]) -> None:
        """Have these duties from now on; those that stay the same go on undisturbed."""
        wanted = {duty.name: duty for duty in duties}
        before, self._duties = self._duties, wanted
        for name, duty in before.items():
            if wanted.get(name) != duty:
                self._scheduler.remove_job(name)
        for name, duty in wanted.items():
            if before.get(name) != duty:
                self._take_on(duty)

    def stop(self) -> None:
        """Ask no more."""
        self._scheduler.shutdown(wait=False)

    def _take_on(self, duty: Duty) -> None:
        seconds = duty.every.total_seconds()
        trigger = IntervalTrigger(seconds=seconds, start_date=duty.first, timezone=UTC)
        self._scheduler.add_job(self._ask, trigger, args=[duty], id=duty.name)
        self._scheduler.add_job(self._ask, DateTrigger(timezone=UTC), args=[duty])

    async def _ask(self, duty: Duty, id: str | None = None) -> None:
        if self._duties.get(duty.name) != duty:
            return  # dropped since
        slot = id or duty.slot(self._now())
        try:
            await self._jobs.ask(duty.job, duty.key, id=slot)
        except StorageError as error:
            log.warning("%s could not be asked for and will be in %s. %s", duty.name, AGAIN, error)
            again = DateTrigger(utc_now() + AGAIN, timezone=UTC)
            self._scheduler.add_job(self._ask, again, args=[duty, slot], id=f"again {duty.name}", replace_existing=True)
