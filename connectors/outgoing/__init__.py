"""Outgoing webhooks, for any tool with an address: one sink, put together here; nothing else is decided here."""

from connectors.base import Sink
from connectors.outgoing.publish import OUTLET
from connectors.outgoing.target import target
from connectors.sinks import manners

DIALECT = manners("the receiver of its webhook", rate=5.0)


SINK = Sink(type="webhook", outlet=lambda row: OUTLET, target=target)

__all__ = ["DIALECT", "SINK"]
