"""What can be published to GitHub, by the name that a row of `publish` has for it.

One file a kind of place; nothing else is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import Outlet
from connectors.github.outlets import comment, issue_field, prepare, project_field, status_update


def is_issue(key: str) -> bool:
    """Tell whether a key is that of an issue: a milestone takes no comment and has no fields."""
    return "/milestone/" not in key


OUTLETS: Mapping[str, Outlet] = {
    "comment": Outlet(
        kind="comment",
        guarantee="read_back",
        content=comment.content,
        render=comment.render,
        read=comment.read,
        current=comment.current,
        remove=comment.remove,
        sent=comment.sent,
        prepare=prepare.find_issues,
        may_write=prepare.may_comment,
        stands_on=is_issue,
    ),
    "status_update": Outlet(
        kind="status_update",
        guarantee="read_back",
        content=status_update.content,
        render=status_update.render,
        read=status_update.read,
        current=status_update.current,
        remove=status_update.remove,
        sent=status_update.sent,
        prepare=prepare.find_projects,
        may_write=prepare.may_post,
        stands_on=lambda key: False,
        per_period=True,
    ),
    "project_field": Outlet(
        kind="project_field",
        guarantee="keyed",
        content=project_field.content,
        render=project_field.render,
        read=project_field.read,
        current=project_field.current,
        remove=project_field.remove,
        prepare=prepare.find_items,
        may_write=prepare.may_set_item,
        lone=lambda row: True,
        stands_on=is_issue,
    ),
    "issue_field": Outlet(
        kind="issue_field",
        guarantee="keyed",
        content=issue_field.content,
        render=issue_field.render,
        read=issue_field.read,
        current=issue_field.current,
        remove=issue_field.remove,
        prepare=prepare.find_fields,
        may_write=prepare.may_set_issue,
        lone=lambda row: True,
        stands_on=is_issue,
    ),
}
