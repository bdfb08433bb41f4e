"""okr-tracker, which is only written to: one sink, put together here; nothing else is decided in this file."""

from connectors.base import Sink
from connectors.okr_tracker.publish import OUTLET, target
from connectors.sinks import manners

DIALECT = manners("okr-tracker")
SINK = Sink(type="okr_tracker", outlet=lambda row: OUTLET, target=target)

__all__ = ["DIALECT", "SINK"]
