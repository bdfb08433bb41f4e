"""A subject as a status update: the numbers and sentences of the report, what changed, and the row's own template.

Where it is told, and whether it is worth telling, is decided elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime

from config import jinja
from connectors.words import percent, progress_words
from domain.facts import Outlook, StatusUpdate
from domain.okr import HEALTH_WORDS, Health
from domain.workspace import PublishRow
from rollup.days import said
from rollup.summary import certainty
from sync.answers import Doc
from sync.context import Context
from sync.subjects import Subject


def status_update(context: Context, subject: Subject, doc: Doc, period: str) -> StatusUpdate:
    """Return what is told about a subject, before anything that depends on the place."""
    entry, complete_to = subject.entry, doc.get("complete_to")
    ahead = entry.get("forecast") or {}
    known = not ahead.get("indicative") and any(ahead.get(name) for name in ("p50", "p85"))
    certain = certainty(coverage=entry.get("coverage"), probability=ahead.get("probability") if known else None)
    path = f"{subject.kind}s/{subject.id}"
    return StatusUpdate(
        workspace=context.workspace.name,
        kind=subject.kind,
        id=subject.id,
        title=entry["title"],
        progress=entry["progress"],
        state=entry["state"],
        health=Health(entry["health"]),
        drivers=tuple(entry["health_reasons"]),
        summary=" ".join((entry["summary"], certain)).strip(),
        flags=tuple(entry["flags"]),
        complete_to=datetime.fromisoformat(complete_to).astimezone(context.zone) if complete_to else None,
        url=f"{context.public_url}/{path}" if context.public_url and subject.kind != "epic" else None,
        coverage=entry.get("coverage"),
        forecast=Outlook(p50=_date(ahead["p50"]), p85=_date(ahead["p85"]), probability=ahead["probability"])
        if known
        else None,
        period=period,
    )


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def numbers_of(subject: Subject) -> Doc:
    """Return the numbers that the next update is compared with, as the ledger keeps them."""
    entry = subject.entry
    counts = entry.get("counts") or {}
    return {
        "progress": entry["progress"],
        "health": entry["health"],
        "items": entry.get("items"),
        "done": counts.get("done", 0),
        "p85": (entry.get("forecast") or {}).get("p85"),
    }


def with_changes(update: StatusUpdate, row: PublishRow, now: Doc, kept: Mapping[str, object]) -> StatusUpdate:
    """Return an update that says what changed since the one that the ledger `kept`.

    While neither progress nor the health that the row asks for moved it says what it said last, so that its words alone
    never cause a write.
    """
    if "progress" not in kept:
        return update
    if kept.get("progress") == now["progress"] and (kept.get("health") == now["health"] or not row.when.health):
        said_last = kept.get("changed")
        return replace(update, changed=tuple(map(str, said_last)) if isinstance(said_last, list) else ())
    return replace(update, changed=tuple(_changes(update, now, kept)))


def _changes(update: StatusUpdate, now: Doc, kept: Mapping[str, object]) -> Iterator[str]:
    was = kept.get("progress")
    if was != now["progress"]:
        before = f"{percent(was)} %" if isinstance(was, int | float) else "unknown"
        after = progress_words(update) if update.progress is not None else "unknown"
        yield (
            f"Progress moved from {before} to {after}."
            if before != after
            else f"Progress moved by less than a point, at {after}."
        )
    health = kept.get("health")
    if isinstance(health, str) and health != now["health"]:
        yield f"Health went from {HEALTH_WORDS[Health(health)].lower()} to {HEALTH_WORDS[update.health].lower()}."
    for name, more, less in (
        ("done", "{} became done.", "{} became open again."),
        ("items", "{} came into scope.", "{} left the scope."),
    ):
        before_count, after_count = kept.get(name), now[name]
        if isinstance(before_count, int) and isinstance(after_count, int) and before_count != after_count:
            count = abs(after_count - before_count)
            yield (more if after_count > before_count else less).format(f"{count} item{'' if count == 1 else 's'}")
    before_day, after_day = _date(str(kept["p85"])) if kept.get("p85") else None, _date(now["p85"])
    if before_day and after_day and before_day != after_day:
        yield f"It is 85 % likely done by {said(after_day)}, before that by {said(before_day)}."


def still(update: StatusUpdate, row: PublishRow) -> StatusUpdate:
    """Return what of an update does not move with the calendar, nor with what the row does not ask for.

    What is told of it is compared, so that neither a sentence about today nor a template that holds one causes a write.
    """
    health = update.health if row.when.health else Health.UNKNOWN
    return replace(
        update, summary="", drivers=(), coverage=None, forecast=None, complete_to=None, period="", health=health
    )


def with_text(update: StatusUpdate, row: PublishRow) -> StatusUpdate:
    """Return an update with the row's template filled in; as it is where the row has none."""
    if row.template is None:
        return update
    ahead = update.forecast
    values: dict[str, object] = {
        "workspace": update.workspace,
        "kind": update.kind,
        "id": update.id,
        "title": update.title,
        "progress": percent(update.progress) if update.progress is not None else None,
        "progress_words": progress_words(update),
        "health": HEALTH_WORDS[update.health],
        "reasons": list(update.drivers),
        "summary": update.summary,
        "changed": list(update.changed),
        "coverage": percent(update.coverage) if update.coverage is not None else None,
        "forecast": {
            "p50": ahead.p50 if ahead else None,
            "p85": ahead.p85 if ahead else None,
            "probability": percent(ahead.probability) if ahead and ahead.probability is not None else None,
        },
        "flags": list(update.flags),
        "url": update.url,
        "period": update.period,
        "complete_to": update.complete_to,
    }
    return replace(update, text=jinja.filled(row.template, values), markup=jinja.markup_of(row.template))


def template_mark(row: PublishRow) -> str | None:
    """Return a digest of the row's template, which tells that it was edited."""
    return hashlib.sha256(row.template.encode()).hexdigest()[:16] if row.template is not None else None
