"""Everything that people do to their work, at random, at all three simulated trackers: for tests under fire.

The same seed does the same to the same sites. Nothing is checked here: a fresh backfill afterwards tells what is true.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from app.demo import company, github_company, linear_company
from app.demo.github_site import Site as GitHub
from app.demo.github_things import Issue as GitHubIssue
from app.demo.linear_model import Issue as LinearIssue
from app.demo.linear_model import Team
from app.demo.linear_site import Site as Linear
from app.demo.portfolio import Portfolio
from app.demo.site import Issue as JiraIssue
from app.demo.site import Site as Jira

LABELS = ("okr/I1", "okr/I3", "okr/I6", "bug", "polish")
POINTS = (None, 0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0)
Deed = Callable[[Any, random.Random], str | None]
"""Does one thing to a site and says it; None where nothing was there to do it to"""


async def storm(portfolio: Portfolio, steps: int, seed: int, rate: float = 0.0) -> list[str]:
    """Let `steps` things happen, `rate` a second (as fast as it goes where 0), and return what was done.

    What was hidden on the way is given back at the end, but for single issues of Jira, which stay out of sight.
    """
    done = []
    for number, said in enumerate(deeds(portfolio, steps, seed), 1):
        done.append(said)
        # At least once around the loop, so that webhooks leave between two steps.
        await asyncio.sleep(1 / rate if rate else 0)
        if number == steps:
            reveal(portfolio)
    return done


def deeds(portfolio: Portfolio, steps: int, seed: int) -> Iterator[str]:
    """Yield what is done, each time after it was done."""
    chance = random.Random(seed)
    sites: tuple[tuple[str, Any], ...] = (
        ("jira", portfolio.jira),
        ("github", portfolio.github),
        ("linear", portfolio.linear),
    )
    done = 0
    while done < steps:
        tracker, site = chance.choice(sites)
        weighed = DEEDS[tracker]
        name = chance.choices(list(weighed), weights=[weight for weight, _ in weighed.values()])[0]
        said = weighed[name][1](site, chance)
        if said is not None:
            done += 1
            yield f"{tracker}: {name} {said}"


def reveal(portfolio: Portfolio) -> None:
    """Give back the sight of projects, repositories and teams that were hidden."""
    for project in portfolio.jira.projects.values():
        project.hidden = False
    for repository in portfolio.github.repositories.values():
        repository.hidden = False
    for team in portfolio.linear.all(Team):
        team.hidden = False
    portfolio.github.version += 1
    portfolio.linear.touch()


def _one(chance: random.Random, things: Sequence[Any]) -> Any | None:
    return chance.choice(things) if things else None


def _other(chance: random.Random, values: Sequence[Any], now: Any) -> Any:
    return chance.choice([value for value in values if value != now])


# Jira


def _jira_issues(site: Jira, level: int | None = 0) -> list[JiraIssue]:
    return [
        one for one in site.issues.values() if not one.deleted and level in (None, site.types[one.type].level)
    ]  # fmt: skip


def _jira_work(site: Jira, chance: random.Random) -> str | None:
    told = company.step(site, chance)
    return told[-1].issue.key if told else None


def _jira_status(site: Jira, chance: random.Random) -> str | None:
    issue = chance.choice(_jira_issues(site, None))
    site.change(issue, status=_other(chance, list(site.statuses), issue.status))
    return f"{issue.key} {issue.status}"


def _jira_estimate(site: Jira, chance: random.Random) -> str | None:
    issue = chance.choice(_jira_issues(site))
    site.change(issue, points=_other(chance, POINTS, issue.points))
    return issue.key


def _jira_parent(site: Jira, chance: random.Random) -> str | None:
    issue, epics = chance.choice(_jira_issues(site)), _jira_issues(site, 1)
    site.change(issue, parent=_other(chance, [None, *epics], site.issues.get(issue.parent or 0)))
    return issue.key


def _jira_labels(site: Jira, chance: random.Random) -> str | None:
    issue = chance.choice(_jira_issues(site, None))
    site.change(issue, labels=chance.sample(LABELS, chance.randint(0, 2)))
    return issue.key


def _jira_delete(site: Jira, chance: random.Random) -> str | None:
    issue = _one(chance, [one for one in _jira_issues(site) if not site.children(one)])
    return site.delete(issue).issue.key if issue else None


def _jira_move(site: Jira, chance: random.Random) -> str | None:
    issue = _one(chance, [one for one in _jira_issues(site) if not site.children(one)])
    if issue is None:
        return None
    was = issue.key
    site.move(issue, _other(chance, list(site.projects.values()), site.projects[issue.project]).key)
    return f"{was} {issue.key}"


def _jira_hide(site: Jira, chance: random.Random) -> str | None:
    """Hide an issue behind a security level, or show one again; no webhook tells it."""
    issue = chance.choice(_jira_issues(site))
    issue.secured = not issue.secured
    return f"{issue.key} {issue.secured}"


# GitHub


def _github_issues(site: GitHub, epics: bool = False) -> list[GitHubIssue]:
    return [
        one
        for repository in site.repositories.values()
        for one in repository.issues
        if epics == (one.issue_type is not None and one.issue_type.name == "Epic")
    ]


def _github_work(site: GitHub, chance: random.Random) -> str | None:
    told = github_company.step(site, chance)
    return told[-1].said if told else None


def _github_state(site: GitHub, chance: random.Random) -> str | None:
    issue = chance.choice(_github_issues(site))
    if issue.closed:
        site.change(issue, state="open")
    else:
        site.change(issue, state="closed", reason=chance.choice(("completed", "completed", "not_planned")))
    return f"{issue.key} {issue.state}"


def _github_estimate(site: GitHub, chance: random.Random) -> str | None:
    issue = chance.choice(_github_issues(site))
    site.change(issue, fields={github_company.EFFORT: chance.choice(POINTS)})
    return issue.key


def _github_parent(site: GitHub, chance: random.Random) -> str | None:
    issue, epics = chance.choice(_github_issues(site)), _github_issues(site, epics=True)
    site.change(issue, parent=_other(chance, [None, *epics], issue.parent))
    return issue.key


def _github_labels(site: GitHub, chance: random.Random) -> str | None:
    issue = chance.choice(_github_issues(site))
    site.change(issue, labels=chance.sample(LABELS, chance.randint(0, 2)))
    return issue.key


def _github_delete(site: GitHub, chance: random.Random) -> str | None:
    issue = _one(chance, [one for one in _github_issues(site) if not one.children])
    if issue is None:
        return None
    chance.choice((site.delete, site.delete, site.convert))(issue)
    return str(issue.key)


def _github_transfer(site: GitHub, chance: random.Random) -> str | None:
    issue = chance.choice(_github_issues(site))
    moved = site.transfer(issue, _other(chance, list(site.repositories.values()), issue.repository))
    return f"{issue.key} {moved.key}"


def _github_hide(site: GitHub, chance: random.Random) -> str | None:
    """Take the sight of a repository away from our account, or give it back; no webhook tells it."""
    repository = list(site.repositories.values())[-1]
    repository.hidden = not repository.hidden
    site.version += 1
    return f"{repository.name_with_owner} {repository.hidden}"


# Linear


def _linear_issues(site: Linear, archived: bool = False) -> list[LinearIssue]:
    return [one for one in site.all(LinearIssue) if archived == (one.archived_at is not None)]


def _linear_work(site: Linear, chance: random.Random) -> str | None:
    told = linear_company.step(site, chance)
    return told[-1].key if told else None


def _linear_state(site: Linear, chance: random.Random) -> str | None:
    issue = chance.choice(_linear_issues(site))
    names = ("Backlog", "Todo", "In Progress", "In Review", "Done", "Canceled")
    site.change(issue, state=_other(chance, names, issue.state.name))
    return f"{issue.identifier} {issue.state.name}"


def _linear_estimate(site: Linear, chance: random.Random) -> str | None:
    issue = chance.choice(_linear_issues(site))
    site.change(issue, estimate=_other(chance, POINTS, issue.estimate))
    return issue.identifier


def _linear_parent(site: Linear, chance: random.Random) -> str | None:
    issues = _linear_issues(site)
    above = {one.parent for one in issues if one.parent is not None}
    issue = _one(chance, [one for one in issues if one not in above])
    if issue is None:
        return None
    tops = [one for one in issues if one.parent is None and one is not issue]
    site.change(issue, parent=_other(chance, [None, *tops], issue.parent))
    return str(issue.identifier)


def _linear_labels(site: Linear, chance: random.Random) -> str | None:
    issue = chance.choice(_linear_issues(site))
    site.change(issue, labels=chance.sample(LABELS, chance.randint(0, 2)))
    return issue.identifier


def _linear_trash(site: Linear, chance: random.Random) -> str | None:
    issue = chance.choice(_linear_issues(site))
    site.trash(issue)
    return issue.identifier


def _linear_archive(site: Linear, chance: random.Random) -> str | None:
    issue = _one(chance, [one for one in _linear_issues(site) if one.completed_at or one.canceled_at])
    return site.archive(issue, auto=True).key if issue else None


def _linear_restore(site: Linear, chance: random.Random) -> str | None:
    issue = _one(chance, _linear_issues(site, archived=True))
    return site.restore(issue).key if issue else None


def _linear_purge(site: Linear, chance: random.Random) -> str | None:
    """Delete something in the trash for good; no webhook tells it."""
    issue = _one(chance, [one for one in _linear_issues(site, archived=True) if one.trashed])
    if issue is None:
        return None
    site.purge(issue)
    return str(issue.identifier)


def _linear_move(site: Linear, chance: random.Random) -> str | None:
    issue = chance.choice(_linear_issues(site))
    was = issue.identifier
    site.move(issue, _other(chance, list(site.all(Team)), issue.team))
    return f"{was} {issue.identifier}"


def _linear_hide(site: Linear, chance: random.Random) -> str | None:
    """Take the sight of a team away from our account, or give it back; no webhook tells it."""
    team = list(site.all(Team))[-1]
    team.hidden = not team.hidden
    site.touch()
    return f"{team.key} {team.hidden}"


DEEDS: Mapping[str, Mapping[str, tuple[int, Deed]]] = {
    "jira": {
        "work": (10, _jira_work), "status": (8, _jira_status), "estimate": (5, _jira_estimate),
        "parent": (4, _jira_parent), "labels": (3, _jira_labels), "delete": (2, _jira_delete),
        "move": (2, _jira_move), "hide": (1, _jira_hide),
    },
    "github": {
        "work": (10, _github_work), "state": (8, _github_state), "estimate": (5, _github_estimate),
        "parent": (4, _github_parent), "labels": (3, _github_labels), "delete": (2, _github_delete),
        "transfer": (2, _github_transfer), "hide": (1, _github_hide),
    },
    "linear": {
        "work": (10, _linear_work), "state": (8, _linear_state), "estimate": (5, _linear_estimate),
        "parent": (4, _linear_parent), "labels": (3, _linear_labels), "trash": (2, _linear_trash),
        "archive": (2, _linear_archive), "restore": (2, _linear_restore), "purge": (1, _linear_purge),
        "move": (2, _linear_move), "hide": (1, _linear_hide),
    },
}  # fmt: skip
"""What happens how often at which tracker"""
