"""Appfire's OKR for Jira, which is only written to: one sink, put together here; nothing else is decided here."""

from connectors.appfire.publish import OUTLET, target
from connectors.base import Sink
from connectors.sinks import manners

DIALECT = manners("Appfire OKR")
SINK = Sink(type="appfire", outlet=lambda row: OUTLET, target=target)

__all__ = ["DIALECT", "SINK"]
