"""Aha!, which is only written to: one sink, put together here; nothing else is decided in this file."""

from connectors.aha.publish import OUTLET, target
from connectors.base import Sink
from connectors.sinks import manners

DIALECT = manners("Aha!")
SINK = Sink(type="aha", outlet=lambda row: OUTLET, target=target)

__all__ = ["DIALECT", "SINK"]
