"""What can be published to Jira, by the name that a row of `publish` has for it.

One file a kind of place; nothing else is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import Outlet
from connectors.jira.outlets import comment, field, issue_property, remote_link
from connectors.jira.outlets.prepare import find_field, may_comment, may_edit, may_link, may_set

OUTLETS: Mapping[str, Outlet] = {
    "remote_link": Outlet(
        kind="remote_link",
        guarantee="keyed",
        content=remote_link.content,
        render=remote_link.render,
        read=remote_link.read,
        current=remote_link.current,
        remove=remote_link.remove,
        may_write=may_link,
    ),
    "property": Outlet(
        kind="property",
        guarantee="keyed",
        content=issue_property.content,
        render=issue_property.render,
        read=issue_property.read,
        current=issue_property.current,
        remove=issue_property.remove,
        lone=issue_property.is_lone,
        may_write=may_edit,
    ),
    "field": Outlet(
        kind="field",
        guarantee="keyed",
        content=field.content,
        render=field.render,
        read=field.read,
        current=field.current,
        remove=field.remove,
        lone=lambda row: True,
        prepare=find_field,
        may_write=may_set,
    ),
    "comment": Outlet(
        kind="comment",
        guarantee="read_back",
        content=comment.content,
        render=comment.render,
        read=comment.read,
        current=comment.current,
        remove=comment.remove,
        sent=comment.sent,
        may_write=may_comment,
    ),
}
