"""Whether a place is to be told, and why: pure, out of what it was told last and what it would be told now.

Nothing here knows a vendor; the clock is an argument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import orjson

from config.cron import slot_after, slot_by
from connectors.base import Outlet
from domain.facts import StatusUpdate
from domain.workspace import PublishRow
from rollup.days import said
from storage.outbox import MAY_SAY, Place, Published

RELEASED = "released"
"""the fingerprint of what was given back: no content has it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be done with a place: ``create``, ``update``, ``wait`` until its time has come, ``skip``; and why."""

    action: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One thing that a target would be told. `key` is the address as people know it, `action` that of a `Decision`, or
    ``delete``; `told` is the content with the numbers behind it, as the ledger keeps it.
    """

    place: Place
    key: str
    action: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None
    reason: str
    mode: str = "live"
    period: str = ""
    told: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_due(self) -> bool:
        """Whether it would be sent now."""
        return self.action not in ("skip", "wait")

    def document(self) -> dict[str, object]:
        """Return the write as `publish --plan` prints it."""
        return {
            "target": self.place.target,
            "subject": self.place.subject,
            "address": self.key,
            "action": self.action if self.is_due else "skip",
            "before": self.before,
            "after": self.after,
            "reason": self.reason,
            "mode": self.mode,
            "period": self.period,
        }


def period_of(row: PublishRow, now: datetime, zone: ZoneInfo) -> str:
    """Return what an update stands for: the slot of a row with a cron line, else the ISO week, ``2026-W48``."""
    if row.when.cron is not None:
        return f"{slot_by(row.when.cron, now, zone):%Y-%m-%dT%H:%M}"
    year, week, _ = now.astimezone(zone).isocalendar()
    return f"{year}-W{week:02}"


def decide(
    row: PublishRow,
    outlet: Outlet,
    update: StatusUpdate,
    content: Mapping[str, object],
    marks: Mapping[str, str | None],
    told: Published | None,
    *,
    first_due: datetime | None,
    now: datetime,
    zone: ZoneInfo,
) -> Decision:
    """Decide about one place. `marks` are the digests of the row's ``template`` and of what is ``still`` in the update;
    `first_due` is since when the place waits in the outbox, None where it does not.

    A row with a cron line sends once a slot, whether or not anything changed; its first slot is the first after it was
    seen. Anything else is sent for a change that is worth it, and not sooner than `at_most` after the last.
    """
    if not content:
        return Decision(action="skip", reason="nothing to tell there: no number, or a health that it has no word for")
    cron = row.when.cron
    if told is None:
        if cron is not None and (first_due is None or slot_by(cron, now, zone) <= first_due):
            return Decision(action="wait", reason=f"its first time is {moment(slot_after(cron, now, zone))}")
        return Decision(action="create", reason="first time")
    if told.overridden_at is not None:
        return Decision(
            action="skip", reason="changed by a person since our last write; give it back with publish --release"
        )
    unconfirmed = MAY_SAY in told.content or told.state != "told"
    if outlet.guarantee == "blind" and told.state != "told" and told.period == update.period:
        return Decision(action="skip", reason=f"uncertain whether it arrived; not sent again in {told.period}")
    if cron is not None and told.sent_at < (slot := slot_by(cron, now, zone)):
        return Decision(action=_action(outlet, told, update), reason=f"its time was {moment(slot)}")
    if told.fingerprint == fingerprint(content) and not unconfirmed:
        return Decision(action="skip", reason="unchanged")
    reason: str | None
    if told.fingerprint == RELEASED:
        reason = "given back after a person's change"
    else:
        reason = moved(row, told, update) or (otherwise(told, update, content, marks) if cron is None else None)
    if reason is None and unconfirmed and cron is None:
        reason = "our last write was not confirmed"
    if reason is None:
        if cron is not None:
            return Decision(action="skip", reason=f"its next time is {moment(slot_after(cron, now, zone))}")
        return Decision(action="skip", reason="moved by less than the row asks for")
    if row.when.at_most is not None and now < told.sent_at + row.when.at_most and told.fingerprint != RELEASED:
        waits = f"sent less than {hours(row.when.at_most.total_seconds())} ago; {reason} waits"
        return Decision(action="wait", reason=waits)
    return Decision(action=_action(outlet, told, update), reason=reason)


def _action(outlet: Outlet, told: Published, update: StatusUpdate) -> str:
    return "create" if outlet.per_period and told.period != update.period else "update"


def moved(row: PublishRow, told: Published, update: StatusUpdate) -> str | None:
    """Return what moved as far as the row asks for, None if nothing did."""
    was, health = told.content.get("progress"), told.content.get("health")
    if row.when.health and health != update.health.value:
        return f"health: {health} -> {update.health.value}"
    step, now = row.when.progress, update.progress
    if isinstance(was, int | float) and now is not None and step is not None and round(abs(now - was), 9) >= step:
        return f"progress: {100 * was:.0f} % -> {100 * now:.0f} %"
    return None


def otherwise(
    told: Published, update: StatusUpdate, content: Mapping[str, object], marks: Mapping[str, str | None]
) -> str | None:
    """Return what else is worth telling; None while progress moved by less than the row asks for."""
    was = told.content.get("progress")
    if (was is None) != (update.progress is None):
        return "progress became known" if was is None else "progress became unknown"
    if was != update.progress:
        return None
    if told.content.get("template") != marks["template"]:
        return "the template was edited"
    if "still" in told.content:
        return "text changed" if told.content["still"] != marks["still"] else None
    return "text changed" if steady(content_of(told.content)) != steady(content) else None


def steady(content: Mapping[str, object]) -> dict[str, object]:
    """Return a content without its summary: what was sent before digests were kept is compared by it."""
    return {name: value for name, value in content.items() if name != "summary"}


def content_of(kept: Mapping[str, object]) -> dict[str, object]:
    """Return the content out of what the outbox and the ledger keep."""
    content = kept.get("content")
    return dict(content) if isinstance(content, Mapping) else {}


def ours(kept: Mapping[str, object]) -> list[object]:
    """Return what a place says if nobody but us wrote there: what it was last told, or what was just being written."""
    may_say = kept.get(MAY_SAY)
    return [content_of(kept), *(may_say if isinstance(may_say, list) else ())]


def fingerprint(content: Mapping[str, object]) -> str:
    """Return the hash of a content."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def hours(seconds: float) -> str:
    """Write a span in hours or minutes."""
    return f"{seconds / 3600:.0f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


def moment(slot: datetime) -> str:
    """Write a slot for people: ``30 Nov 2026, 09:00``."""
    return f"{said(slot.date())}, {slot:%H:%M}"
