"""The part of the sample company that works in Linear: the mobile and the design team, built from a seed and a date.

Names are roles, never people. What the same company does in Jira is `company`; both tell one story.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from app.demo.company import HISTORY, SEED, moment
from app.demo.linear_model import Change, Cycle, Issue, Project, Team, User
from app.demo.linear_site import Site

TEAMS = (("MOB", "Mobile"), ("DES", "Design"))
KEY_RESULT = "kr/KR5"
"""The label of the initiative that lives in Linear alone; a mapping rule takes it over for the key result KR5."""

POINTS = (1.0, 2.0, 3.0, 3.0, 5.0, 8.0)
ARCHIVED_AFTER = 30
"""Days until Linear archives what is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The work of one project: how much there is and how it went.

    `done` of `items` were finished between 62 and `end` days before today; then come `canceled` and `duplicates`,
    then those under way, and the rest waits. `initiative` is the one of the workspace file that it counts for.
    """

    name: str
    initiative: str | None
    team: str
    helper: str
    label: str | None
    parts: Sequence[str]
    milestones: Sequence[tuple[str, int]]
    items: int
    done: int
    end: int = 1
    canceled: int = 0
    duplicates: int = 0
    unestimated: float = 0.1


PLANS = (
    Plan(
        name="One-click pay on mobile", initiative="I1", team="MOB", helper="DES", label="okr/I1", items=26, done=18,
        canceled=2, duplicates=1, milestones=(("Beta", -14), ("Every phone", 30)),
        parts=("stored cards", "consent", "the wallet sheet", "receipts", "refunds"),
    ),
    Plan(
        name="Self-service onboarding screens", initiative="I6", team="DES", helper="MOB", label=None, items=18,
        done=15, end=4, duplicates=1, milestones=(("First merchants", -20), ("All merchants", 18)),
        parts=("sign up", "first product", "bank account", "test order"),
    ),
    Plan(
        name="Ledger reports in the app", initiative=None, team="MOB", helper="DES", label=None, items=12, done=7,
        canceled=1, unestimated=0.3, milestones=(("Month in the pocket", 25),),
        parts=("monthly reports", "exports", "alerts"),
    ),
)  # fmt: skip

_STEPS = (
    "Sketch", "Agree on the contract of", "Build the first cut of", "Write the tests for", "Handle the errors of",
    "Make accessible", "Measure", "Roll out",
)  # fmt: skip


class Company:
    """A built company: its workspace, the date it stands on, and the projects and issues by the plan's name."""

    def __init__(self, site: Site, today: date) -> None:
        self.site = site
        self.today = today
        self.projects: dict[str, Project] = {}
        self.items: dict[str, list[Issue]] = {}


def build(site: Site, today: date, seed: int = SEED) -> Company:
    """Fill an empty workspace with the two teams' work as it stands on the morning of `today`.

    The same name, date and seed give the same issues, identifiers and histories, byte for byte.
    """
    chance = random.Random(seed)
    company = Company(site, today)
    for key, name in TEAMS:
        team = site.add_team(key, name)
        site.add_user(f"{name} team")
        _cycles(site, team, today)
    area = site.add_label("area", group=True)
    for name in ("iOS", "Android"):
        site.add_label(name, parent=area)
    for name in ("bug", "polish"):
        site.add_label(name)
    for plan in PLANS:
        company.projects[plan.name] = _project(site, today, plan)
    _initiatives(company)
    for plan in PLANS:
        company.items[plan.name] = _work(company, plan, chance)
    _loose_ends(company)
    _archive(site, today)
    site.changes.clear()
    return company


def _cycles(site: Site, team: Team, today: date) -> None:
    start = datetime.combine(today - timedelta(days=HISTORY - 4), time(8), UTC)
    for number in range(5):
        begin = start + timedelta(days=14 * number)
        site.add_cycle(team, begin, begin + timedelta(days=14))


def _project(site: Site, today: date, plan: Plan) -> Project:
    at = moment(today, HISTORY, 8)
    labels = [site.label(plan.label, of="project")] if plan.label else []
    project = site.add_project(
        plan.name, [site.team(plan.team), site.team(plan.helper)], at=at, status="In Progress", labels=labels,
        lead=site.user(f"{site.team(plan.team).name} team"), start_date=today - timedelta(days=63),
        target_date=today + timedelta(days=30),
    )  # fmt: skip
    for name, days in plan.milestones:
        site.add_milestone(project, name, target=today + timedelta(days=days), at=at)
    site.post_update(project, "onTrack", f"{plan.name} goes on as planned.", at=moment(today, 7, 16))
    return project


def _initiatives(company: Company) -> None:
    """Put an initiative of Linear's own under a wider one, and the ledger project under it."""
    site, at = company.site, moment(company.today, HISTORY, 7)
    owner = site.user("Mobile team")
    wide = site.add_initiative("Everything on the phone", at=at, status="Active", owner=owner)
    own = site.add_initiative(
        "Ledger in the pocket", at=at, status="Active", owner=owner, parent=wide,
        labels=[site.label(KEY_RESULT, of="initiative")], target_date=company.today + timedelta(days=40),
        description="Merchants read their books where they are.",
    )  # fmt: skip
    site.link_project(own, company.projects["Ledger reports in the app"], at=at)


def _work(company: Company, plan: Plan, chance: random.Random) -> list[Issue]:
    site, today, project = company.site, company.today, company.projects[plan.name]
    items = []
    for number in range(plan.items):
        part = plan.parts[number % len(plan.parts)]
        step = _STEPS[(number // len(plan.parts)) % len(_STEPS)]
        team = site.team(plan.helper if number % 5 == 0 else plan.team)
        milestone = project.milestones[0 if number < plan.items // 2 else -1]
        points = None if chance.random() < plan.unestimated else chance.choice(POINTS)
        items.append(
            site.create(
                team, f"{step} {part}", at=moment(today, chance.randint(64, 69), 9, number % 60), project=project,
                project_milestone=milestone, estimate=points,
                labels=[chance.choice(("iOS", "Android"))] if chance.random() < 0.4 else [],
                state=chance.choice(("Backlog", "Todo")), priority=chance.choice((0, 2, 3, 4)),
            )
        )  # fmt: skip
    for position, item in enumerate(items[: plan.done]):
        _finish(site, today, item, 62 - (62 - plan.end) * (position + 0.5) / plan.done, chance)
    rest = items[plan.done :]
    for item in rest[: plan.canceled]:
        site.change(item, at=moment(today, chance.randint(5, 25), 15), state="Canceled")
    rest = rest[plan.canceled :]
    for item in rest[: plan.duplicates]:
        at = moment(today, chance.randint(26, 29), 14)
        site.relate(item, "duplicate", items[-1], at=at)
        site.change(item, at=at + timedelta(minutes=1), state="Duplicate")
    for item in rest[plan.duplicates : plan.duplicates + 2]:
        _start(site, today, item, chance.randint(2, 9))
    return items


def _start(site: Site, today: date, item: Issue, days_ago: float) -> None:
    at = max(moment(today, days_ago, 9, 30), item.updated_at + timedelta(minutes=20))
    site.change(item, at=at, assignee=_owner(site, item), cycle=_cycle_of(site, item, at))
    site.change(item, at=at + timedelta(minutes=30), state="In Progress")


def _finish(site: Site, today: date, item: Issue, days_ago: float, chance: random.Random) -> None:
    _start(site, today, item, min(HISTORY - 5, days_ago + chance.randint(1, 6)))
    end = moment(today, days_ago, chance.randint(11, 16), chance.randint(0, 59))
    end = max(end, item.updated_at + timedelta(minutes=45))
    if chance.random() < 0.6:
        site.change(item, at=end - timedelta(minutes=20), state="In Review")
    site.change(item, at=end, state="Done")


def _owner(site: Site, item: Issue) -> User:
    return site.user(f"{item.team.name} team")


def _cycle_of(site: Site, item: Issue, at: datetime) -> Cycle | None:
    cycles = (one for one in site.all(Cycle) if one.team is item.team)
    return next((one for one in cycles if one.starts_at <= at < one.ends_at), None)


def _loose_ends(company: Company) -> None:
    """Add what makes a workspace real: sub-issues, a blocker, a move, bugs in triage, a reopened issue."""
    site, today = company.site, company.today
    mobile, design = site.team("MOB"), site.team("DES")
    first = company.items[PLANS[0].name]
    for parent in (first[1], first[2], first[-1]):
        for number, part in enumerate(("on small screens", "on large screens")):
            at = parent.created_at + timedelta(hours=1)
            child = site.create(
                parent.team, f"{parent.title} {part}", at=at, parent=parent, project=parent.project, estimate=1.0,
                sub_issue_sort_order=float(number), state="Todo",
            )  # fmt: skip
            if parent.completed_at:
                site.change(child, at=parent.completed_at - timedelta(minutes=30 - number), state="Done")
    open_items = [item for item in first if item.state.type in ("backlog", "unstarted")]
    blocker = site.create(mobile, "Wait for the new keyboard", at=moment(today, 25), state="Todo", estimate=2.0)
    for item in open_items[:2]:
        site.relate(blocker, "blocks", item, at=moment(today, 24, 14))
    moved = site.create(design, "Icons of the wallet", at=moment(today, 30), project=first[0].project, estimate=2.0)
    site.move(moved, mobile, at=moment(today, 12, 13))
    reopened = company.items[PLANS[1].name][3]
    site.change(reopened, at=moment(today, 3, 9), state="In Progress")
    site.change(open_items[-1], at=moment(today, 11, 11), estimate=8.0)
    for number in range(4):
        site.create(
            mobile, f"Report {number + 1} from the app store", at=moment(today, 2 + 6 * number, 14), state="Triage",
            labels=["bug"],
        )  # fmt: skip


def _archive(site: Site, today: date) -> None:
    """Archive what was closed long ago, as Linear does by itself."""
    for issue in site.all(Issue):
        closed = issue.completed_at or issue.canceled_at
        if closed and (at := closed + timedelta(days=ARCHIVED_AFTER)) < datetime.combine(today, time(), UTC):
            site.archive(issue, at=at, auto=True)


# What happens next


def step(site: Site, chance: random.Random) -> list[Change]:
    """Let one thing happen now: someone starts, reviews, finishes or adds an issue; return what was told."""
    known = len(site.changes)
    work = [one for one in site.all(Issue) if one.project and one.archived_at is None and not one.team.hidden]
    kind = chance.choices(("finish", "start", "review", "add", "estimate"), weights=(5, 4, 3, 1, 1))[0]
    waiting = [one for one in work if one.state.type in ("backlog", "unstarted")]
    going = {name: [one for one in work if one.state.name == name] for name in ("In Progress", "In Review")}
    candidates = {"finish": going["In Review"], "review": going["In Progress"]}.get(kind, waiting)
    if not candidates or kind == "add":
        like = chance.choice(work)
        title = f"{chance.choice(_STEPS)} what comes after {like.identifier}"
        site.create(like.team, title, project=like.project, state="Todo", estimate=chance.choice(POINTS))
        return site.changes[known:]
    item = chance.choice(candidates)
    match kind:
        case "finish":
            site.change(item, state="Done")
        case "review":
            site.change(item, state="In Review")
        case "start":
            site.change(item, state="In Progress", assignee=_owner(site, item))
        case _:
            site.change(item, estimate=chance.choice([points for points in POINTS if points != item.estimate]))
    return site.changes[known:]
