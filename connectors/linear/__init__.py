"""Linear: one connector, put together here; nothing else is decided in this file."""

from connectors.base import Connector
from connectors.linear.auth import DIALECT, access
from connectors.linear.changes import changes
from connectors.linear.client import backfill, count, fetch, ids, locate
from connectors.linear.discover import discover
from connectors.linear.history import history
from connectors.linear.hooks import HOOKS
from connectors.linear.outlets import OUTLETS
from connectors.linear.parse import defaults, key_at, kind_of, parse, split
from connectors.linear.probe import probe
from connectors.linear.webhook import delivery_id, event_of, hints, verify, webhook

CONNECTOR = Connector(
    type="linear",
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
