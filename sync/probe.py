"""The findings of `check`: each connection asked, each target looked at, nothing written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.errors import KeyrailError, TransientError
from sync import hooks, measures
from sync.addresses import outlet_of
from sync.context import Context, Live
from sync.outlets import finding, targets
from sync.receivers import address_of

Doc = dict[str, Any]  # Any: a JSON document


async def probe(context: Context, sources: Mapping[str, Live], errors: Mapping[str, KeyrailError]) -> list[Doc]:
    """Return one finding a line, connections first, then targets, then what is about the whole."""
    findings: list[Doc] = []
    for name in context.workspace.connections:
        if name in errors:
            findings.append(finding(name, "error", "connection", str(errors[name])))
            continue
        source = sources[name]
        findings += [
            finding(name, "warning", "scope", lost_words(key))
            for names in source.reading.lost.values()
            for key in names
        ]
        try:
            for one in await source.connector.probe(source.client, source.connection, source.reading):
                findings.append(finding(name, one.level, one.subject, one.message))
        except KeyrailError as error:
            findings.append(finding(name, "error", "connection", str(error)))
        findings.append(await deliveries(context, source))
    return findings + await sources_of_values(context) + await targets(context, sources) + links(context)


async def sources_of_values(context: Context) -> list[Doc]:
    """Return the findings about where values of key results come from: what each says now; nothing is recorded."""
    values, errors = await measures.read(context)
    found = [finding(None, "ok", v.key_result, f"its source says {v.value:g} ({v.by}, {v.note})") for v in values]
    for error in errors:
        waits = type(error) is TransientError  # nothing was read yet
        found.append(finding(None, "warning" if waits else "error", "source", str(error)))
    return found


async def deliveries(context: Context, source: Live) -> Doc:
    """Return the finding about how soon changes arrive: by webhook, where one stands at the tracker, or by polling."""
    connection = source.connection
    if connection.webhook_secret is None:
        minutes = connection.poll.total_seconds() / 60
        return finding(
            connection.name,
            "warning",
            "webhook",
            f"changes arrive by polling, every {minutes:g} min. To be told at once set `webhook.secret`, let"
            f" keyrail serve run, and run once: keyrail webhooks register --connection {connection.name}",
        )
    try:
        level, more = await standing(context, source)
        said = f"deliveries go to {address_of(context, connection)}, signed{more}"
        return finding(connection.name, level, "webhook", said)
    except KeyrailError as error:
        return finding(connection.name, "warning", "webhook", str(error).removeprefix(f"{connection.name}: "))


async def standing(context: Context, source: Live) -> tuple[str, str]:
    """Return a level, and what is to be said of the webhooks at the tracker."""
    if source.connector.hooks is None:
        return "ok", ""
    rows = (await hooks.act(context, source, hooks.look, signing=False))["webhooks"]
    if any(row["state"] in hooks.UNDONE for row in rows):
        return "ok", f"; our account may not see whether a webhook stands: keyrail webhooks list {_only(source)}"
    wrong = [f"{row['place']}: {'; '.join(row['differs']) or 'no webhook'}" for row in rows if row["state"] != hooks.OK]
    if wrong:
        return "warning", f", but {', '.join(wrong)}. Run: keyrail webhooks register {_only(source)}"
    return "ok", "; the webhook stands and is switched on"


def _only(source: Live) -> str:
    return f"--connection {source.name}"


def links(context: Context) -> list[Doc]:
    """Return the finding about links in published texts, where they have no address to lead to."""
    rows = [row.id for row in context.workspace.publish if outlet_of(context, row) is not None and row.what != "epics"]
    if context.public_url is not None or not rows:
        return []
    said = (
        f"not set, so nothing that {', '.join(rows)} publish{'es' * (len(rows) == 1)} has a link that leads anywhere."
        " Set it to the address where people reach keyrail serve, such as https://keyrail.example.com"
    )
    return [finding(None, "warning", "KEYRAIL_PUBLIC_URL", said)]


def lost_words(name: str) -> str:
    """Say what it means that a part of the scope is gone from sight."""
    return (
        f"'{name}' is no longer visible to our account. Its items count for the grace period and then leave;"
        " give the account access again, or take it out of the scope"
    )
