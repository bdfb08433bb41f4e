"""GitHub and GitHub Enterprise Server: one connector, put together here; nothing else is decided in this file."""

from dataclasses import replace

from connectors.base import Connector
from connectors.github.auth import access, proved
from connectors.github.changes import changes
from connectors.github.client import backfill, fetch, locate
from connectors.github.discover import discover
from connectors.github.history import history
from connectors.github.hooks import HOOKS
from connectors.github.limits import DIALECT
from connectors.github.listing import count, ids
from connectors.github.outlets import OUTLETS
from connectors.github.parse import defaults, key_at, kind_of, parse, split
from connectors.github.probe import probe
from connectors.github.webhook import delivery_id, event_of, hints, verify, webhook

CONNECTOR = Connector(
    type="github",
    discover=discover,
    count=count,
    backfill=backfill,
    changes=changes,
    history=history,
    ids=ids,
    fetch=fetch,
    locate=locate,
    probe=probe,
    parse=parse,
    split=split,
    kind_of=kind_of,
    webhook=webhook,
    verify=verify,
    delivery_id=delivery_id,
    event_of=event_of,
    hints=hints,
    defaults=defaults,
    outlets=OUTLETS,
    key_at=key_at,
    hooks=replace(HOOKS, proved=proved),
)

__all__ = ["CONNECTOR", "DIALECT", "access"]
