"""The part of the sample company that works on GitHub: the web team's payment page and its one-click button.

Names are roles, never people. Dates hang on `today` as those of `company` do; the same date and seed give the same
issues, numbers and timelines.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from app.demo import github_projects as projects
from app.demo.company import HISTORY, SEED, moment
from app.demo.github_boards import Project, ProjectItem
from app.demo.github_site import Change, Site
from app.demo.github_things import Account, Issue, Repository

ORGANIZATION = "acme"
REPOSITORIES = ("checkout-web", "checkout-kit")
PROJECT = "Checkout on the web"
EFFORT = "Effort"
STATUSES = ("Todo", "In Progress", "In Review", "Done")
EFFORTS = (1, 2, 3, 3, 5, 8)
SURFACES = ("on the phone", "on the desktop", "in the embedded page")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The sub-issues of one epic: `done` of `items` were finished between `begin` and `end` (days before today)."""

    initiative: str | None
    title: str
    items: int
    done: int
    begin: int = 62
    end: int = 1
    not_planned: int = 0


PLANS = (
    Plan(initiative="I3", title="Payment page: one round trip", items=13, done=10),
    Plan(initiative="I3", title="Payment page: fewer scripts", items=12, done=9, not_planned=1),
    Plan(initiative="I3", title="Payment page: fonts that do not jump", items=10, done=7, end=3),
    Plan(initiative="I3", title="Payment page: budget in every build", items=9, done=5, begin=40, not_planned=1),
    Plan(initiative="I1", title="One-click pay: button on the web", items=14, done=9, begin=50, not_planned=1),
)

_STEPS = (
    "Measure", "Write the tests for", "Build the first cut of", "Handle the errors of", "Put a switch around",
    "Make accessible", "Roll out", "Clean up after", "Document",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Company:
    """What was built: the repositories, the project, and epics and their sub-issues by the title of the epic."""

    site: Site
    today: date
    team: Account
    web: Repository
    kit: Repository
    project: Project
    epics: dict[str, Issue] = field(default_factory=dict)
    items: dict[str, list[Issue]] = field(default_factory=dict)


def build(site: Site, today: date, seed: int = SEED) -> Company:
    """Fill an empty site with the company's GitHub as it stands on the morning of `today`."""
    chance = random.Random(seed)
    company = _found(site, today)
    for number, plan in enumerate(PLANS):
        company.epics[plan.title] = _epic(company, plan, number)
    for plan in PLANS:
        company.items[plan.title] = _work(company, plan, chance)
    _loose_ends(company)
    site.changes.clear()
    return company


def _found(site: Site, today: date) -> Company:
    """Make what work needs: the organization with its types and fields, the repositories and the project."""
    owner = site.add_organization(ORGANIZATION, "Acme")
    for name, color in (("Epic", "PURPLE"), ("Feature", "BLUE"), ("Task", "YELLOW"), ("Bug", "RED")):
        site.add_issue_type(owner, name, color)
    site.add_issue_field(owner, EFFORT, "NUMBER")
    site.add_issue_field(owner, "Target date", "DATE")
    born = moment(today, HISTORY + 30)
    web, kit = (site.add_repository(owner, name, at=born) for name in REPOSITORIES)
    project = projects.add_project(site, owner, PROJECT, statuses=STATUSES, at=born)
    team = site.add_user("web-team", "Web team")
    return Company(site=site, today=today, team=team, web=web, kit=kit, project=project)


def _epic(company: Company, plan: Plan, number: int) -> Issue:
    due = (company.today + timedelta(days=30)).isoformat()
    return company.site.create(
        company.web, plan.title, at=moment(company.today, HISTORY, 8, number), by=company.team, type="Epic",
        labels=[f"okr/{plan.initiative}"] if plan.initiative else (), fields={"Target date": due},
    )  # fmt: skip


def _work(company: Company, plan: Plan, chance: random.Random) -> list[Issue]:
    site, today, epic = company.site, company.today, company.epics[plan.title]
    subject, items = plan.title.partition(": ")[2], []
    for number in range(plan.items):
        where = SURFACES[number // len(_STEPS)]
        at = moment(today, chance.randint(65, 69), 9, number % 60)
        issue = site.create(
            company.web, f"{_STEPS[number % len(_STEPS)]} {subject}, {where}", at=at, by=company.team, parent=epic,
            type="Bug" if chance.random() < 0.15 else chance.choice(("Feature", "Task")),
            fields={EFFORT: chance.choice(EFFORTS)} if chance.random() > 0.1 else None,
        )  # fmt: skip
        item = projects.add_item(site, company.project, issue, at=at + timedelta(minutes=1))
        projects.set_value(site, item, "Status", "Todo", at=at + timedelta(minutes=1))
        items.append(issue)
    for position, issue in enumerate(items[: plan.done]):
        finished = plan.begin - (plan.begin - plan.end) * (position + 0.5) / plan.done
        _finish(company, issue, finished, chance)
    waiting = items[plan.done :]
    for issue in waiting[: plan.not_planned]:
        at = moment(today, chance.randint(5, 25), 15)
        site.change(issue, at=at, by=company.team, state="closed", reason="not_planned")
        projects.set_value(site, _row(issue), "Status", "Done", at=at)
    for issue in waiting[plan.not_planned :][:2]:
        _start(company, issue, chance.randint(2, 9))
    return items


def _row(issue: Issue) -> ProjectItem:
    return issue.items[0]


def _start(company: Company, issue: Issue, days_ago: float) -> datetime:
    at = max(moment(company.today, days_ago, 9, 30), issue.created_at + timedelta(minutes=20))
    company.site.change(issue, at=at, by=company.team, assignees=[company.team])
    projects.set_value(company.site, _row(issue), "Status", "In Progress", at=at + timedelta(minutes=5))
    return at


def _finish(company: Company, issue: Issue, days_ago: float, chance: random.Random) -> None:
    begun = _start(company, issue, min(HISTORY - 2, days_ago + chance.randint(1, 6)))
    end = moment(company.today, days_ago, chance.randint(11, 16), chance.randint(0, 59))
    end = max(end, begun + timedelta(minutes=45))
    if chance.random() < 0.6:
        projects.set_value(company.site, _row(issue), "Status", "In Review", at=end - timedelta(minutes=20))
    projects.set_value(company.site, _row(issue), "Status", "Done", at=end)
    company.site.change(issue, at=end, by=company.team, state="closed")


def _loose_ends(company: Company) -> None:
    """Add what makes it real: a transfer, a sub-issue elsewhere, a blocker, a duplicate, a pull request and more."""
    site, today, team = company.site, company.today, company.team
    scripts, fonts = (company.items[PLANS[number].title] for number in (1, 2))
    moved = site.transfer(scripts[-1], company.kit, at=moment(today, 9, 13))
    scripts[-1] = moved
    parts = site.create(
        company.kit, "Ship fonts with the kit", at=moment(today, 30), by=team, type="Task", fields={EFFORT: 3},
        parent=company.epics[PLANS[2].title],
    )  # fmt: skip
    fonts.append(parts)
    site.block(fonts[-2], parts, at=moment(today, 24, 14))
    again = site.create(company.web, "Button is drawn twice", at=moment(today, 16, 14), by=team, type="Bug")
    first = site.create(company.web, "Button appears late", at=moment(today, 18, 14), by=team, type="Bug")
    site.change(again, at=moment(today, 11), by=team, state="closed", reason="duplicate", duplicate_of=first)
    back = company.items[PLANS[0].title][2]
    site.change(back, at=moment(today, 5, 10), by=team, state="open")
    projects.set_value(site, _row(back), "Status", "In Progress", at=moment(today, 5, 10))
    site.change(fonts[-3], at=moment(today, 12, 11), by=team, fields={EFFORT: 8})
    site.create_pull(company.web, "Load fonts before the first paint", at=moment(today, 6))


# What happens next


def step(site: Site, chance: random.Random) -> list[Change]:
    """Let one thing happen now: someone starts, reviews, finishes or adds an issue; return what was told."""
    known = len(site.changes)
    rows = _rows(site)
    kind = chance.choices(("finish", "start", "review", "add", "estimate"), weights=(5, 4, 3, 1, 1))[0]
    candidates = rows.get({"finish": "In Review", "review": "In Progress"}.get(kind, "Todo"), [])
    if not candidates or kind == "add":
        _add(site, chance)
        return site.changes[known:]
    row = chance.choice(candidates)
    issue = row.holds
    if not isinstance(issue, Issue):
        return []
    match kind:
        case "finish":
            projects.set_value(site, row, "Status", "Done")
            site.change(issue, state="closed")
        case "review":
            projects.set_value(site, row, "Status", "In Review")
        case "start":
            site.change(issue, assignees=[site.accounts["web-team"]])
            projects.set_value(site, row, "Status", "In Progress")
        case _:
            site.change(issue, fields={EFFORT: chance.choice(EFFORTS)})
    return site.changes[known:]


def _rows(site: Site) -> dict[str, list[ProjectItem]]:
    """Return the open issues of the project by their status."""
    project = site.accounts[ORGANIZATION].projects[0]
    status = project.field("Status")
    found: dict[str, list[ProjectItem]] = {}
    for row in project.items:
        if status is not None and isinstance(row.holds, Issue) and not row.holds.closed and status.id in row.values:
            found.setdefault(row.values[status.id].name, []).append(row)
    return found


def _add(site: Site, chance: random.Random) -> None:
    epics: Sequence[Issue] = [one for one in site.issues() if one.issue_type and one.issue_type.name == "Epic"]
    epic = chance.choice(epics)
    subject, number = epic.title.partition(": ")[2], epic.repository.last_number
    title = f"{chance.choice(_STEPS)} {subject}, part {number}"
    issue = site.create(epic.repository, title, parent=epic, type="Task", fields={EFFORT: chance.choice(EFFORTS)})
    row = projects.add_item(site, site.accounts[ORGANIZATION].projects[0], issue)
    projects.set_value(site, row, "Status", "Todo")
