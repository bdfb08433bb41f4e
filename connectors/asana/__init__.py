"""Asana Goals, which are only written to: one sink, put together here; nothing else is decided in this file."""

from dataclasses import replace

from connectors.asana.metric import METRIC
from connectors.asana.prepare import prepare
from connectors.asana.status import STATUS
from connectors.asana.target import may_write, target
from connectors.base import Outlet, Sink
from connectors.sinks import manners
from domain.workspace import PublishRow

DIALECT = manners("Asana")


def outlet(row: PublishRow) -> Outlet:
    """Return how a row is written: the goal's number, or a status update to its followers."""
    if row.to.get("as") == "status":
        return replace(STATUS, may_write=may_write)
    return replace(METRIC, prepare=prepare, may_write=may_write)


SINK = Sink(type="asana", outlet=outlet, target=target)

__all__ = ["DIALECT", "SINK"]
