"""What Linear derives from the issues of a project, a milestone or a cycle: progress, scope, and both by week.

Formulas of Linear's own (https://linear.app/docs/project-graph); nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from app.demo.linear_model import CANCELED, Cycle, Issue, Milestone, Project
from app.demo.linear_site import Site

IN_PROGRESS = 0.25
WEEK, DAY = timedelta(days=7), timedelta(days=1)


def issues_of(site: Site, row: Project | Milestone | Cycle) -> list[Issue]:
    """Return the issues of a project, a milestone or a cycle that are not in the trash."""
    place: Callable[[Issue], object] = {
        Project: lambda issue: issue.project,
        Milestone: lambda issue: issue.project_milestone,
        Cycle: lambda issue: issue.cycle,
    }[type(row)]
    return [issue for issue in site.all(Issue) if place(issue) is row and not issue.trashed]


def points(issue: Issue) -> float:
    """Return the size that Linear gives an issue: its estimate, else what its team's un-estimated ones count."""
    if issue.team.issue_estimation_type == "notUsed":
        return 1.0
    return issue.estimate if issue.estimate is not None else issue.team.default_issue_estimate


def scope(issues: Iterable[Issue]) -> float:
    """Return the points of all that is not canceled."""
    return sum(points(issue) for issue in issues if issue.state.type not in CANCELED)


def progress(issues: Sequence[Issue]) -> float:
    """Return (completed + a quarter of what is in progress) / all points; 0 where there are none."""
    total = scope(issues)
    done = sum(points(issue) for issue in issues if issue.state.type == "completed")
    started = sum(points(issue) for issue in issues if issue.state.type == "started")
    return round((done + IN_PROGRESS * started) / total, 6) if total else 0.0


def series(issues: Sequence[Issue], since: datetime, until: datetime, step: timedelta) -> dict[str, list[float]]:
    """Return the five arrays, one number a step from `since` on, by Linear's names."""
    ends = [since + step * (number + 1) for number in range(max(0, -((since - until) // step)))]
    there = [[issue for issue in issues if _entered(issue) <= end and not _dropped(issue, end)] for end in ends]
    done = [
        [one for one in some if one.completed_at and one.completed_at <= end]
        for some, end in zip(there, ends, strict=True)
    ]
    going = [
        [one for one in some if one.started_at and one.started_at <= end and one not in finished]
        for some, finished, end in zip(there, done, ends, strict=True)
    ]
    return {
        "issueCountHistory": [float(len(some)) for some in there],
        "completedIssueCountHistory": [float(len(some)) for some in done],
        "scopeHistory": [sum(map(points, some)) for some in there],
        "completedScopeHistory": [sum(map(points, some)) for some in done],
        "inProgressScopeHistory": [sum(map(points, some)) for some in going],
    }


def _entered(issue: Issue) -> datetime:
    return issue.added_to_project_at or issue.created_at


def _dropped(issue: Issue, end: datetime) -> bool:
    return issue.canceled_at is not None and issue.canceled_at <= end
