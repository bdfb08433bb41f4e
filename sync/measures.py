"""Values of key results from where the file says they come: an address, or a count or sum over the items.

A value is recorded as a check-in where it differs from the last one, and once a day where it does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import fsum
from typing import Any
from urllib.parse import urlsplit

from connectors.outcome import read_value
from domain.errors import KeyrailError, TransientError
from domain.okr import CheckIn, KeyResult, Status
from domain.rules import Matcher
from domain.work import WorkItem
from rollup.scope import period
from storage import checkpoints, okrs
from storage import items as store
from storage.engine import Transaction
from sync.context import Context
from sync.ingest import parents_of
from sync.matchers import Predicate, as_number, every_test, getter, named_field, predicate
from sync.poll import COMPLETE

AT_ONCE = 8
"""addresses that are called side by side"""
OWN_NUMBERS = ("estimate", "time_estimate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What a source says now; `by` is how check-ins name it, `note` where it came from."""

    key_result: str
    value: float
    by: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Which values were read, which of them were recorded, and what could not be read."""

    values: Sequence[Value]
    recorded: frozenset[str]
    errors: Sequence[KeyrailError]

    def document(self) -> list[dict[str, Any]]:
        """Return the values as commands print them."""
        return [
            {"key_result": v.key_result, "value": v.value, "source": v.by, "recorded": v.key_result in self.recorded}
            for v in self.values
        ]


def sourced(context: Context) -> list[KeyResult]:
    """Return the key results that have a source other than check-ins and are not over."""
    found = []
    for one in context.workspace.key_results.values():
        end = period(context.workspace, one)[1]
        over = end is not None and end < context.today
        if one.metric is not None and isinstance(one.source, Mapping) and one.status is Status.ACTIVE and not over:
            found.append(one)
    return found


async def measure(context: Context) -> Measured:
    """Read the values of all sources and record them; one that cannot be read stops no other."""
    values, errors = await read(context)
    now = context.now()
    recorded: set[str] = set()
    if values:
        async with context.store.write() as tx:
            latest = await okrs.latest_check_ins(tx)
            for one in values:
                before = latest.get(one.key_result)
                same_day = before is not None and before.as_of.astimezone(context.zone).date() == context.today
                if before is None or before.value != one.value or not same_day:
                    entry = CheckIn(
                        key_result=one.key_result,
                        as_of=now,
                        value=one.value,
                        recorded_at=now,
                        by=one.by,
                        note=one.note,
                    )
                    await okrs.add_check_in(tx, entry)
                    recorded.add(one.key_result)
    return Measured(values=values, recorded=frozenset(recorded), errors=errors)


async def read(context: Context) -> tuple[list[Value], list[KeyrailError]]:
    """Return what all sources say now, in the order of the file, and why others do not; nothing is recorded."""
    wanted = sourced(context)
    over_http = [one for one in wanted if _part(one, "http") is not None]
    found, errors = await from_addresses(over_http)
    over_items = [one for one in wanted if one not in over_http]
    if over_items:
        async with context.store.read() as tx:
            whole = await checkpoints.of_stream(tx, COMPLETE)
            unread = [name for name in context.workspace.connections if name not in whole]
            if unread:
                names, have = ", ".join(unread), "has" if len(unread) == 1 else "have"
                why = f"not counted before {names} {have} been read whole once. Run: keyrail backfill"
                errors += [TransientError(f"{one.id}: {why}") for one in over_items]
            else:
                found |= await from_items(tx, context, over_items)
    return [found[one.id] for one in wanted if one.id in found], errors


async def from_addresses(key_results: Iterable[KeyResult]) -> tuple[dict[str, Value], list[KeyrailError]]:
    """Call the addresses of key results, a few at a time."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(key_result: KeyResult) -> Value | KeyrailError:
        source = _part(key_result, "http") or {}
        yes_no = key_result.metric is not None and key_result.metric.kind == "binary"
        async with slots:
            try:
                value = await read_value(key_result.id, source, yes_no=yes_no)
            except KeyrailError as error:
                return error
        return Value(key_result=key_result.id, value=value, by="http", note=urlsplit(str(source["url"])).netloc)

    answers = await asyncio.gather(*map(one, key_results))
    values = {answer.key_result: answer for answer in answers if isinstance(answer, Value)}
    return values, [answer for answer in answers if isinstance(answer, KeyrailError)]


async def from_items(tx: Transaction, context: Context, key_results: Sequence[KeyResult]) -> dict[str, Value]:
    """Count or add up the items that match, in one walk over the store.

    Deleted items and mirrored copies are not there; neither are items that our account has not seen for longer than
    the grace period.
    """
    rules = [_rule(one, context) for one in key_results]
    amounts: list[list[float]] = [[] for _ in rules]
    grace = timedelta(days=context.workspace.policies.inaccessible_grace)
    unseen = await store.unseen_since(tx, context.today - grace)
    above = any(rule.sees_parent for rule in rules)
    async for chunk in store.stream(tx):
        there = (row.item for row in chunk if row.mirror_of is None and not row.item.deleted)
        items = [item for item in there if (item.connection, item.id) not in unseen]
        parents = await parents_of(tx, items) if above else {}
        for item in items:
            parent = parents.get((item.connection, item.parent_id)) if item.parent_id is not None else None
            for rule, found in zip(rules, amounts, strict=True):
                if rule.fits(item, parent, None) and (amount := rule.amount(item)) is not None:
                    found.append(amount)
    return {
        one.id: Value(
            key_result=one.id,
            value=fsum(found),
            by=rule.kind,
            note=f"{len(found)} item{'' if len(found) == 1 else 's'}",
        )
        for one, rule, found in zip(key_results, rules, amounts, strict=True)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A source over items, compiled: which fit, and how much each adds."""

    kind: str
    fits: Predicate
    amount: Callable[[WorkItem], float | None]
    sees_parent: bool


def _rule(key_result: KeyResult, context: Context) -> Rule:
    source = key_result.source if isinstance(key_result.source, Mapping) else {}
    kind = "count" if "count" in source else "sum"
    matcher: Matcher = source[kind]
    return Rule(
        kind=kind,
        fits=predicate(matcher, context.zone),
        amount=amount_of(str(source["field"])) if kind == "sum" else lambda item: 1.0,
        sees_parent=any(test.field.startswith("parent.") for test in every_test(matcher)),
    )


def amount_of(name: str) -> Callable[[WorkItem], float | None]:
    """Return how much an item adds: its estimate or a number in one of `fields`; None adds nothing."""
    value = getter(name) if name in OWN_NUMBERS else named_field(name)
    return lambda item: as_number(value(item))


def _part(key_result: KeyResult, kind: str) -> Mapping[str, object] | None:
    source = key_result.source
    found = source.get(kind) if isinstance(source, Mapping) else None
    return found if isinstance(found, Mapping) else None
