"""The explanation of a number, cut to what a page shows: groups, the largest effects, what was left out.

The numbers are those of `explain`; nothing is computed but sums of what is not shown one by one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from app.cli.view import words
from app.web.pages.desk import Ask
from sync import retell
from sync.context import Context

Doc = dict[str, Any]  # Any: a JSON document

MOST = 500
"""items of an explanation that are kept to be shown, largest effect first"""
MOST_CHANGES = 200
MOST_POINTS = 400
NAMED = 5
"""keys named for each reason of an exclusion"""


PENDING: Doc = {"past": False, "changes": [], "more_changes": 0, "changed": 0.0, "burnup": []}
"""what stands in for the past while it is being read"""


async def why(ask: Ask, id_: str, since: date | None) -> Doc | None:
    """Return the explanation of a subject with what changed and its burn-up, cut; None where it is on its way.

    The past takes longer: until it is read, `past` is false and it is left out.
    """
    day = ask.day
    now, then = await asyncio.gather(
        ask.kept(f"why/{id_}/{day}", lambda context: explained(context, id_, day)),
        ask.kept(f"past/{id_}/{day}/{since}", lambda context: past(context, id_, day, since), lane="past"),
    )
    return {**now.doc, **(then.doc if then is not None else PENDING)} if now is not None else None


async def explained(context: Context, id_: str, day: date | None) -> Doc:
    """Put an explanation together."""
    doc = await retell.explain(context, id_, as_of=day)
    return {**doc, **cut(doc), "delivery": cut(doc["delivery"], doc["delivery"]) if doc.get("delivery") else None}


async def past(context: Context, id_: str, day: date | None, since: date | None) -> Doc:
    """Put together what changed since a day, and how a subject came to where it is."""
    doc = await retell.explain(context, id_, as_of=day, since=since, burnup=True)
    changes: list[Doc] = doc.get("changes") or []
    return {
        "past": True,
        "before": doc.get("before"),
        "changes": sorted(changes, key=lambda row: row.get("at") or "", reverse=True)[:MOST_CHANGES],
        "more_changes": max(len(changes) - MOST_CHANGES, 0),
        "changed": sum(row.get("effect") or 0.0 for row in changes),
        "burnup": thinned(doc.get("burnup") or []),
    }


def cut(part: Doc, beside: Doc | None = None) -> Doc:
    """Return what a page shows of an explanation, or of the delivery beside an outcome."""
    inputs: list[Doc] = part.get("inputs") or []
    ordered = sorted(
        inputs, key=lambda row: (-abs(row.get("effect") or 0.0), words.in_order(str(row.get("key") or "")))
    )
    return {
        **(beside or {}),
        "inputs": ordered[:MOST],
        "left": len(ordered) - MOST if len(ordered) > MOST else 0,
        "largest": max((abs(row.get("effect") or 0.0) for row in inputs), default=0.0),
        "groups": groups(inputs),
        "excluded": left_out(part.get("excluded") or []),
    }


def groups(inputs: Sequence[Doc]) -> list[Doc]:
    """Return the items of each initiative together: how many, how large, and what they add."""
    found: dict[str, Doc] = {}
    for row in inputs:
        if "category" not in row:
            continue
        one = found.setdefault(
            row.get("initiative") or "", {"items": 0, "done": 0, "size": 0.0, "effect": 0.0, "by": Counter()}
        )
        count = row.get("count") or 1
        one["items"] += count
        one["done"] += count if row["category"] == "done" else 0
        one["size"] += (row.get("size") or 0.0) * count
        one["effect"] += row.get("effect") or 0.0
        one["by"][row.get("connection") or ""] += count
    return [{"id": id_, **one} for id_, one in sorted(found.items(), key=lambda pair: -pair[1]["effect"])]


def left_out(rows: Sequence[Doc]) -> list[Doc]:
    """Return what does not count by its reason, with the first keys of each."""
    found: dict[str, Doc] = {}
    for row in rows:
        one = found.setdefault(row["reason"], {"reason": row["reason"], "count": 0, "keys": []})
        one["count"] += row.get("count") or 1
        if row.get("key") and len(one["keys"]) < NAMED:
            one["keys"].append(row["key"])
    return sorted(found.values(), key=lambda one: -one["count"])


def thinned(days: Sequence[Doc]) -> list[Doc]:
    """Return the days of a burn-up, so many that a chart can tell them apart; the last is always there."""
    step = -(-len(days) // MOST_POINTS) or 1
    kept = list(days[::-step][::-1])
    return [
        {**row, "why": ""} if i == 0 else {**row, "why": scope_move(kept[i - 1], row)} for i, row in enumerate(kept)
    ]


def scope_move(before: Doc, row: Doc) -> str:
    """Say how the scope moved at a close, and why; empty where it stayed."""
    moved = row["scope"] - before["scope"]
    if abs(moved) < 1e-9:
        return ""
    causes = [words.cause(code) for code in row.get("causes") or {} if code not in ("done", "reopened", "status")]
    return f"scope {'+' if moved > 0 else '−'}{words.exact(abs(moved))}" + (
        f" ({words.listed(causes)})" if causes else ""
    )


def since_of(ask: Ask) -> date | None:
    """Return the day since which changes are told: the one asked for, else a week before."""
    text = ask.said("since")
    try:
        found = date.fromisoformat(text) if text else ask.today - timedelta(days=7)
    except ValueError:
        found = ask.today - timedelta(days=7)
    return found if found < ask.today else None
