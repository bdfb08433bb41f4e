"""The shapes of what is answered, by the names under which they stand in the OpenAPI document.

What the parts mean is told in `docs/commands.md` and the roll-up handbook; nothing is computed here.
"""

from __future__ import annotations

from app.web.api.schema import (
    ANY,
    COUNTS,
    DAY,
    INSTANT,
    NUMBER,
    OBJECT,
    TEXT,
    TEXTS,
    WHOLE,
    YES_NO,
    Schema,
    many,
    maybe,
    named,
    one_of,
    record,
)  # fmt: skip
from domain.okr import Health, Status
from domain.work import Category, Level

HEALTH = one_of(*(one.value for one in Health))
LEVEL = one_of(*(one.value for one in Level))
CATEGORY = one_of(*(one.value for one in Category))
STATUS = one_of(*(one.value for one in Status))
PART = maybe(NUMBER)
"""a part of 1, or null where nobody knows"""

JUDGED: dict[str, Schema] = {
    "progress": PART,
    "state": TEXT,
    "health": HEALTH,
    "health_reasons": TEXTS,
    "overlays": TEXTS,
    "flags": TEXTS,
    "override": maybe(OBJECT),
    "coverage": PART,
}
"""what is said of everything that has a health"""

OBJECTIVE = record(
    {
        "id": TEXT,
        "title": TEXT,
        "timeframe": maybe(TEXT),
        "parent": maybe(TEXT),
        "owner": maybe(TEXT),
        "status": STATUS,
        "weight": NUMBER,
        **JUDGED,
        "computed_progress": PART,
        "manual": maybe(OBJECT),
        "expected": PART,
        "key_results": TEXTS,
        "objectives": TEXTS,
        "summary": TEXT,
    },
    more=True,
)
KEY_RESULT = record(
    {
        "id": TEXT,
        "objective": TEXT,
        "title": TEXT,
        "owner": maybe(TEXT),
        "status": STATUS,
        "commitment": TEXT,
        "weight": NUMBER,
        **JUDGED,
        "score_basis": maybe(TEXT),
        "outcome_progress": PART,
        "delivery_progress": PART,
        "expected": PART,
        "baseline_progress": PART,
        "scope_change": PART,
        "start": maybe(DAY),
        "end": maybe(DAY),
        "counts": COUNTS,
        "items": WHOLE,
        "unestimated": WHOLE,
        "estimated_coverage": PART,
        "forecast": OBJECT,
        "metric": maybe(OBJECT),
        "initiatives": many(OBJECT),
        "summary": TEXT,
    },
    more=True,
)
INITIATIVE = record(
    {
        "id": TEXT,
        "title": TEXT,
        "owner": maybe(TEXT),
        "team": maybe(TEXT),
        "status": STATUS,
        **JUDGED,
        "expected": PART,
        "baseline_progress": PART,
        "scope_change": PART,
        "start": maybe(DAY),
        "due": maybe(DAY),
        "counts": COUNTS,
        "items": WHOLE,
        "size_total": NUMBER,
        "size_done": NUMBER,
        "unestimated": WHOLE,
        "estimated_coverage": PART,
        "forecast": OBJECT,
        "contributes": many(OBJECT),
        "summary": TEXT,
    },
    more=True,
)
LINK = record({"initiative": TEXT, "rule": TEXT, "inherited_from": maybe(TEXT)})
ITEM = record(
    {
        "connection": TEXT,
        "tracker": TEXT,
        "id": TEXT,
        "key": TEXT,
        "url": TEXT,
        "title": TEXT,
        "type": TEXT,
        "level": LEVEL,
        "status": TEXT,
        "category": CATEGORY,
        "stage": maybe(TEXT),
        "resolution": maybe(TEXT),
        "estimate": maybe(NUMBER),
        "parent_id": maybe(TEXT),
        "parent_key": maybe(TEXT),
        "containers": TEXTS,
        "project": TEXT,
        "labels": TEXTS,
        "assignees": TEXTS,
        "team": maybe(TEXT),
        "sprint": maybe(TEXT),
        "milestone": maybe(TEXT),
        "created_at": INSTANT,
        "updated_at": INSTANT,
        "started_at": maybe(INSTANT),
        "completed_at": maybe(INSTANT),
        "canceled_at": maybe(INSTANT),
        "start_date": maybe(DAY),
        "due_date": maybe(DAY),
        "archived": YES_NO,
        "deleted": YES_NO,
        "inaccessible": YES_NO,
        "flags": TEXTS,
        "fields": OBJECT,
        "dimensions": OBJECT,
        "links": many(LINK),
    }
)
EPIC = record(
    {
        "connection": TEXT,
        "id": TEXT,
        "key": TEXT,
        "title": TEXT,
        "category": CATEGORY,
        "counts": COUNTS,
        "size_total": NUMBER,
        "size_done": NUMBER,
        "points_total": NUMBER,
        "points_done": NUMBER,
        "unestimated": WHOLE,
        "progress": PART,
        "state": TEXT,
        "health": HEALTH,
        "override": maybe(OBJECT),
    }
)
STEP = record(
    {
        "connection": TEXT,
        "item_id": TEXT,
        "id": TEXT,
        "at": INSTANT,
        "field": TEXT,
        "before": maybe(TEXT),
        "after": maybe(TEXT),
        "before_id": maybe(TEXT),
        "after_id": maybe(TEXT),
    }
)
CONNECTION = record(
    {
        "name": TEXT,
        "type": TEXT,
        "url": TEXT,
        "complete_to": maybe(INSTANT),
        "stale": YES_NO,
        "items": WHOLE,
        "waiting": WHOLE,
        "parked": WHOLE,
        "oldest_waiting": maybe(INSTANT),
        "census": ANY,
        "failures": COUNTS,
    }
)
DELIVERY = record(
    {
        "id": WHOLE,
        "connection": TEXT,
        "delivery_id": TEXT,
        "kind": TEXT,
        "event": maybe(TEXT),
        "received_at": INSTANT,
        "items": WHOLE,
        "state": one_of("new", "done", "parked"),
        "attempts": WHOLE,
        "error": maybe(TEXT),
    }
)
PUBLICATION = record(
    {
        "target": TEXT,
        "kind": TEXT,
        "subject": TEXT,
        "address": TEXT,
        "state": one_of("told", "sending", "uncertain", "overridden", "due", "failed"),
        "sent_at": maybe(INSTANT),
        "overridden_at": maybe(INSTANT),
        "due_at": maybe(INSTANT),
        "reason": maybe(TEXT),
        "error": maybe(TEXT),
        "content": maybe(OBJECT),
    }
)
CHECK_IN = record(
    {"key_result": TEXT, "as_of": INSTANT, "value": NUMBER, "note": TEXT, "by": TEXT, "recorded_at": INSTANT}
)
RECORDED = record({"key_result": TEXT, "value": NUMBER, "date": DAY, "note": TEXT, "by": TEXT})
OVERRIDE = record(
    {
        "subject": TEXT,
        "health": HEALTH,
        "until": DAY,
        "by": TEXT,
        "reason": TEXT,
        "at": INSTANT,
        "cleared_at": maybe(INSTANT),
    }
)
OVERRIDDEN = record(
    {
        "id": TEXT,
        "kind": TEXT,
        "title": TEXT,
        "computed": maybe(HEALTH),
        "health": HEALTH,
        "until": DAY,
        "by": TEXT,
        "reason": TEXT,
        "at": INSTANT,
        "replaces": maybe(OBJECT),
    }
)
CLEARED = record(
    {
        "id": TEXT,
        "kind": TEXT,
        "title": TEXT,
        "computed": maybe(HEALTH),
        "cleared": OBJECT,
        "by": TEXT,
        "reason": TEXT,
    }
)
DEED = record(
    {
        "number": WHOLE,
        "at": INSTANT,
        "by": TEXT,
        "via": one_of("token", "session", "proxy", "none", "terminal"),
        "address": maybe(TEXT),
        "action": TEXT,
        "subject": TEXT,
        "detail": OBJECT,
    }
)
ME = record({"name": TEXT, "role": one_of("read", "write"), "via": one_of("token", "session", "proxy", "none")})
REPORT = record(
    {
        "workspace": TEXT,
        "as_of": INSTANT,
        "complete_to": maybe(INSTANT),
        "objectives": many(named("Objective")),
        "key_results": many(named("KeyResult")),
        "initiatives": many(named("Initiative")),
        "unlinked": OBJECT,
    },
    more=True,
)
EXPLANATION = record(
    {"id": TEXT, "kind": TEXT, "progress": PART, "formula": TEXT, "inputs": many(OBJECT), "excluded": many(OBJECT)},
    more=True,
)
PORTFOLIO = record(
    {
        "workspace": TEXT,
        "as_of": INSTANT,
        "timeframe": TEXT,
        "totals": OBJECT,
        "dimensions": many(OBJECT),
        "capacity": many(OBJECT),
        "ranking": many(OBJECT),
        "risks": many(OBJECT),
        "opportunities": many(OBJECT),
        "roadmap": many(OBJECT),
        "flow": OBJECT,
    },
    more=True,
)
WHAT_IF = record(
    {
        "workspace": TEXT,
        "as_of": INSTANT,
        "changes": many(OBJECT),
        "key_results": many(OBJECT),
        "objectives": many(OBJECT),
        "initiatives": many(OBJECT),
    },
    more=True,
)
COVERAGE = record(
    {
        "unlinked": OBJECT,
        "dead_rules": many(OBJECT),
        "dangling": many(OBJECT),
        "missing_keys": many(OBJECT),
        "orphaned": many(OBJECT),
        "unmapped_statuses": many(OBJECT),
        "proposals": many(OBJECT),
    },
    more=True,
)

NAMED: dict[str, Schema] = {
    "Objective": OBJECTIVE,
    "KeyResult": KEY_RESULT,
    "Initiative": INITIATIVE,
    "Report": REPORT,
    "Item": ITEM,
    "Epic": EPIC,
    "Step": STEP,
    "Explanation": EXPLANATION,
    "Portfolio": PORTFOLIO,
    "WhatIf": WHAT_IF,
    "Coverage": COVERAGE,
    "Connection": CONNECTION,
    "Delivery": DELIVERY,
    "Publication": PUBLICATION,
    "CheckIn": CHECK_IN,
    "RecordedCheckIn": RECORDED,
    "Override": OVERRIDE,
    "StatedOverride": OVERRIDDEN,
    "ClearedOverride": CLEARED,
    "Deed": DEED,
    "Me": ME,
}
"""every shape by its name"""
