"""Endpoints of what people say: check-ins, and overrides of health. Each write is put to the account with it.

What can be said is decided in `sync`.
"""

from __future__ import annotations

from datetime import datetime, time

from app.web.api.asked import Body, line, path, text
from app.web.api.endpoint import Asked, Doc, Endpoint, Find, Key, Page
from app.web.api.schema import DAY, NUMBER, TEXT, record
from app.web.api.shapes import CHECK_IN, CLEARED, HEALTH, OVERRIDDEN, OVERRIDE, RECORDED
from domain.okr import CheckIn
from rollup.report import instant
from storage import lists
from storage import overrides as stored
from sync import answers, overrides

NOTE = 2000
"""characters of a note or a reason"""


async def check_ins(asked: Asked) -> Find:
    """Open the list of check-ins."""

    async def find(after: Key | None, limit: int) -> Page:
        async with asked.context.store.read() as tx:
            rows = await lists.check_ins_before(
                tx, key_result=asked["key_result"], before=after[0] if after else None, limit=limit + 1
            )
        records = [check_in_document(entry) for _, entry in rows[:limit]]
        return Page(records, [rows[limit - 1][0]] if len(rows) > limit else None)

    return find


def check_in_document(entry: CheckIn) -> Doc:
    """Return a check-in."""
    return {name: getattr(entry, name) for name in CHECK_IN["properties"]}


async def check_in(asked: Asked) -> Doc:
    """Record a value of a key result's metric."""
    body = Body(asked.body)
    key_result, value = body.text("key_result"), body.number("value")
    day, note = body.day("date"), body.text("note", most=NOTE, default="")
    body.end()
    return await answers.record(
        asked.context,
        key_result,
        value,
        day=datetime.combine(day, time(tzinfo=asked.context.zone)) if day is not None else None,
        note=note,
        by=asked.person.name,
        deed=asked.deed("check-in", key_result, value=value, date=day),
    )


async def said(asked: Asked) -> Find:
    """Open the list of overrides."""
    async with asked.context.store.read() as tx:
        found = await stored.all_overrides(tx)
    records = [
        {
            "subject": one.subject,
            "health": one.health.value,
            "until": one.until,
            "by": one.by,
            "reason": one.reason,
            "at": instant(one.at),
            "cleared_at": instant(one.cleared_at) if one.cleared_at is not None else None,
        }
        for one in found
    ]
    kept = [(-number, one) for number, one in enumerate(records) if asked["subject"] in (None, one["subject"])][::-1]

    async def find(after: Key | None, limit: int) -> Page:
        rest = [(number, one) for number, one in kept if after is None or number > after[0]]
        return Page([one for _, one in rest[:limit]], [rest[limit - 1][0]] if len(rest) > limit else None)

    return find


async def override(asked: Asked) -> Doc:
    """State the health of a subject."""
    body = Body(asked.body)
    subject, health = body.text("subject"), body.text("health")
    until, reason = body.day("until", needed=True), body.text("reason", most=NOTE)
    body.end()
    if until is None:
        raise TypeError("a needed day is there")
    return await overrides.override(
        asked.context,
        subject,
        overrides.health_named(health),
        until=until,
        reason=reason,
        by=asked.person.name,
        deed=asked.deed("override", subject, health=health, until=until, reason=reason),
    )


async def take_back(asked: Asked) -> Doc:
    """Take back what was said of a subject."""
    subject, reason = asked["subject"], asked["reason"] or ""
    return await overrides.clear(
        asked.context,
        subject,
        reason=reason,
        by=asked.person.name,
        deed=asked.deed("clear override", subject, reason=reason),
    )


ENDPOINTS = (
    Endpoint(
        name="list_check_ins",
        path="/api/v1/check-ins",
        group="Statements",
        says="Check-ins, the latest recorded first.",
        answer=CHECK_IN,
        params=(text("key_result", "Only those of this key result."),),
        open=check_ins,
        key=(int,),
    ),
    Endpoint(
        name="create_check_in",
        path="/api/v1/check-ins",
        group="Statements",
        says="Record a value of a key result's metric, in its own unit: as of the end of a day, of today as of now.",
        method="POST",
        role="write",
        status=201,
        answer=RECORDED,
        body=record(
            {"key_result": line(), "value": NUMBER, "date": DAY, "note": {**TEXT, "maxLength": NOTE}},
            optional=("date", "note"),
        ),
        do=check_in,
    ),
    Endpoint(
        name="list_overrides",
        path="/api/v1/overrides",
        group="Statements",
        says="What people said of health in place of what is computed, the latest first.",
        answer=OVERRIDE,
        params=(text("subject", "Only what was said of this subject."),),
        open=said,
        key=(int,),
    ),
    Endpoint(
        name="create_override",
        path="/api/v1/overrides",
        group="Statements",
        says="State a subject's health in place of the computed one, until a day.",
        method="POST",
        role="write",
        status=201,
        answer=OVERRIDDEN,
        body=record({"subject": line(), "health": HEALTH, "until": DAY, "reason": line(NOTE)}),
        do=override,
    ),
    Endpoint(
        name="clear_override",
        path="/api/v1/overrides/{subject}",
        group="Statements",
        says="Take back what was said of a subject.",
        method="DELETE",
        role="write",
        answer=CLEARED,
        params=(path("subject", "What it was said of."), text("reason", "Why it holds no longer.")),
        do=take_back,
    ),
)
