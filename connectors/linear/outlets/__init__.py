"""What can be published to Linear, by the name that a row of `publish` has for it.

One file a kind of place; nothing else is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import Outlet
from connectors.linear.outlets import attachment, update
from connectors.linear.outlets.prepare import find_places, may_write
from domain.work import Level

OUTLETS: Mapping[str, Outlet] = {
    "attachment": Outlet(
        kind="attachment",
        guarantee="keyed",
        content=attachment.content,
        render=attachment.render,
        read=attachment.read,
        current=attachment.current,
        remove=attachment.remove,
        may_write=may_write,
        level=Level.ISSUE,
    ),
    "update": Outlet(
        kind="update",
        guarantee="read_back",
        content=update.content,
        render=update.render,
        read=update.read,
        current=update.current,
        remove=update.remove,
        sent=update.sent,
        prepare=find_places,
        may_write=may_write,
        per_period=True,
    ),
}
