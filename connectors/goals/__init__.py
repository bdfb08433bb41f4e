"""Atlassian Goals, which are only written to: one sink, put together here; nothing else is decided in this file."""

from dataclasses import replace

from connectors.base import Sink
from connectors.goals.prepare import prepare
from connectors.goals.publish import OUTLET
from connectors.goals.target import target
from connectors.sinks import manners

DIALECT = manners("Atlassian Goals")
SINK = Sink(type="goals", outlet=lambda row: replace(OUTLET, prepare=prepare), target=target)

__all__ = ["DIALECT", "SINK"]
