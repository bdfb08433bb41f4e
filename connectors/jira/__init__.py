"""Jira Cloud and Data Center: one connector, put together here; nothing else is decided in this file."""

from connectors.base import Connector
from connectors.jira.auth import DIALECT, access
from connectors.jira.changes import changes
from connectors.jira.client import backfill, fetch, locate
from connectors.jira.discover import discover
from connectors.jira.history import history
from connectors.jira.hooks import HOOKS
from connectors.jira.listing import count, ids
from connectors.jira.outlets import OUTLETS
from connectors.jira.parse import defaults, key_at, kind_of, parse, split
from connectors.jira.probe import probe
from connectors.jira.webhook import delivery_id, event_of, hints, verify, webhook

CONNECTOR = Connector(
    type="jira",
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
    hooks=HOOKS,
)

__all__ = ["CONNECTOR", "DIALECT", "access"]
