"""Slack, which is only written to: one sink, put together here; nothing else is decided in this file."""

from dataclasses import replace

from connectors.base import Outlet, Sink
from connectors.sinks import manners
from connectors.slack.answers import failed
from connectors.slack.probe import may_write
from connectors.slack.publish import BOT, HOOK
from connectors.slack.target import target
from domain.workspace import PublishRow

DIALECT = replace(manners("Slack"), failed=failed)


def outlet(row: PublishRow) -> Outlet:
    """Return how a row is written: by the bot whose token it has, else by the incoming webhook."""
    return replace(BOT, may_write=may_write) if "token" in row.to else HOOK


SINK = Sink(type="slack", outlet=outlet, target=target)

__all__ = ["DIALECT", "SINK"]
