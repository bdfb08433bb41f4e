"""Operately, which is only written to: one sink, put together here; nothing else is decided in this file."""

from dataclasses import replace

from connectors.base import Sink
from connectors.operately.prepare import prepare
from connectors.operately.publish import OUTLET, target
from connectors.sinks import manners

DIALECT = manners("Operately")
SINK = Sink(type="operately", outlet=lambda row: replace(OUTLET, prepare=prepare), target=target)

__all__ = ["DIALECT", "SINK"]
