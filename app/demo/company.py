"""A sample company whose numbers tell a story, built into a simulated site from a seed and a date.

Names are roles, never people. Dates hang on `today`, so that the company is always in the middle of its
quarter; the workspace file that goes with it is written by `workspace`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from app.demo.site import Change, Issue, Site, Sprint

SEED = 20
QUARTER_BEFORE = 45
QUARTER_AFTER = 44
HISTORY = 70
"""Days of the past that the changelogs tell."""

POINTS = (1.0, 2.0, 3.0, 3.0, 5.0, 8.0)

PROJECTS = (("PAY", "Payments"), ("CORE", "Core platform"), ("MER", "Merchants"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The work of one initiative (or of none): how much there is and how it went.

    `done` of `items` were finished between `begin` and `end` (days before today). `added` of them came
    late (scope creep), `canceled` of them were dropped, `unestimated` is a ratio, `blocked` open items
    wait for one issue of another team.
    """

    id: str
    project: str
    team: str
    label: str | None
    epics: Sequence[str]
    items: int
    done: int
    begin: int = 63
    end: int = 1
    added: int = 0
    canceled: int = 0
    unestimated: float = 0.08
    blocked: int = 0


PLANS = (
    Plan(
        id="I1", project="PAY", team="Payments", label="okr/I1", items=70, done=51,
        epics=("One-click pay: stored cards", "One-click pay: consent", "One-click pay: mobile",
               "One-click pay: refunds", "One-click pay: receipts", "One-click pay: roll-out by region"),
    ),
    Plan(
        id="I2", project="PAY", team="Payments", label="okr/I2", items=50, done=36,
        epics=("Wallets: contract tests", "Wallets: button on every page", "Wallets: fallback to card",
               "Wallets: tax by region", "Wallets: settlement"),
    ),
    Plan(
        id="I3", project="CORE", team="Web", label="okr/I3", items=40, done=29,
        epics=("Payment page: smaller bundle", "Payment page: early hints", "Payment page: image budget",
               "Payment page: measuring in the field"),
    ),
    Plan(
        id="I4", project="CORE", team="Ledger", label="okr/I4", items=52, done=33, added=14,
        epics=("Ledger: double entry core", "Ledger: backfill of old books", "Ledger: reconciliation",
               "Ledger: closing of the month", "Ledger: audit export"),
    ),
    Plan(
        id="I5", project="CORE", team="Platform", label="okr/I5", items=36, done=23,
        epics=("Payouts: alarms that matter", "Payouts: retry without doubles", "Payouts: bank holidays",
               "Payouts: run book"),
    ),
    Plan(
        id="I6", project="MER", team="Merchants", label=None, items=50, done=42, end=4,
        epics=("Self-service: sign up", "Self-service: first product", "Self-service: bank account",
               "Self-service: test order", "Self-service: help in place"),
    ),
    Plan(
        id="I7", project="MER", team="Identity", label=None, items=44, done=13, end=24, blocked=7,
        epics=("Documents: upload", "Documents: check by rule", "Documents: second look", "Documents: expiry"),
    ),
    Plan(
        id="I8", project="MER", team="Merchants", label="okr/I8", items=30, done=10, canceled=6, unestimated=0.4,
        epics=("Partners: invitation", "Partners: shared reports", "Partners: fees"),
    ),
    Plan(
        id="-", project="CORE", team="Platform", label=None, items=40, done=26,
        epics=("Upkeep: libraries", "Upkeep: certificates", "Upkeep: build times", "Upkeep: on-call findings"),
    ),
)  # fmt: skip

_STEPS = (
    "Agree on the contract of", "Write the tests for", "Build the first cut of", "Handle the errors of",
    "Measure", "Put a switch around", "Roll out", "Document", "Clean up after", "Review the wording of",
    "Load-test", "Translate", "Make accessible", "Fix the edge cases of",
)  # fmt: skip


class Company:
    """A built company: its site, the date it stands on, and the issues by plan."""

    def __init__(self, site: Site, today: date) -> None:
        self.site = site
        self.today = today
        self.epics: dict[str, list[Issue]] = {}
        self.items: dict[str, list[Issue]] = {}


def build(site: Site, today: date, seed: int = SEED) -> Company:
    """Fill an empty site with the company as it stands on the morning of `today`.

    The same site name, date and seed give the same issues, keys and changelogs, byte for byte.
    """
    chance = random.Random(seed)
    company = Company(site, today)
    for key, name in PROJECTS:
        site.add_project(key, name)
    for plan in PLANS:
        site.add_user(f"{plan.team} team")
    sprints = _sprints(site, today)
    # Epics first, so that their keys hang on no date.
    for plan in PLANS:
        company.epics[plan.id] = [_epic(site, today, plan, title, n) for n, title in enumerate(plan.epics)]
    for plan in PLANS:
        company.items[plan.id] = _work(company, plan, sprints, chance)
    _loose_ends(company, chance)
    _put_in_order(site)
    site.changes.clear()
    return company


def _put_in_order(site: Site) -> None:
    """Number all changelog entries by time, as a site that lived through them would have."""
    entries = sorted(
        ((entry.at, entry.id, issue) for issue in site.issues.values() for entry in issue.histories),
        key=lambda row: row[:2],
    )
    numbers = {old: site.next_id("history") for _, old, _ in entries}
    for issue in site.issues.values():
        renumbered = [replace(entry, id=numbers[entry.id]) for entry in issue.histories]
        issue.histories = sorted(renumbered, key=lambda entry: entry.id)


def moment(today: date, days_ago: float, hour: int = 10, minute: int = 0) -> datetime:
    """Return a working moment that many days before `today`: week-ends fall back to their Friday, UTC."""
    day = today - timedelta(days=int(days_ago))
    while day.weekday() > 4:
        day -= timedelta(days=1)
    return datetime.combine(day, time(hour, minute), UTC)


def _sprints(site: Site, today: date) -> list[Sprint]:
    start = datetime.combine(today - timedelta(days=HISTORY - 4), time(8), UTC)
    out = []
    for number in range(5):
        begin = start + timedelta(days=14 * number)
        state = "active" if number == 4 else "closed"
        out.append(site.add_sprint(f"Sprint {number + 1}", state, begin, begin + timedelta(days=14)))
    return out


def _epic(site: Site, today: date, plan: Plan, title: str, number: int) -> Issue:
    labels = (plan.label,) if plan.label else ()
    return site.create(
        plan.project, "Epic", title, at=moment(today, HISTORY, 8, number), labels=labels, team=plan.team,
        assignee=f"{plan.team} team", start=today - timedelta(days=63), due=today + timedelta(days=30),
    )  # fmt: skip


def _work(company: Company, plan: Plan, sprints: Sequence[Sprint], chance: random.Random) -> list[Issue]:
    site, today, epics = company.site, company.today, company.epics[plan.id]
    items = []
    for number in range(plan.items):
        epic = epics[number % len(epics)]
        late = number >= plan.items - plan.added
        days_ago = chance.randint(3, 20) if late else chance.randint(65, 69)
        points = None if chance.random() < plan.unestimated else chance.choice(POINTS)
        step = _STEPS[(number // len(epics)) % len(_STEPS)]
        items.append(
            site.create(
                plan.project,
                "Bug" if chance.random() < 0.12 else chance.choice(("Story", "Task")),
                f"{step} {epic.summary.partition(': ')[2]}",
                at=moment(today, days_ago, 9, number % 60), parent=epic, points=points, team=plan.team,
            )
        )  # fmt: skip
    planned = items[: plan.items - plan.added]
    for position, item in enumerate(planned[: plan.done]):
        span = plan.begin - plan.end
        finished = plan.begin - span * (position + 0.5) / plan.done
        _finish(site, today, item, finished, plan, sprints, chance)
    waiting = planned[plan.done :]
    for item in waiting[: plan.canceled]:
        site.change(item, at=moment(today, chance.randint(5, 25), 15), status="Won't Do")
    for item in waiting[plan.canceled : plan.canceled + max(3, plan.items // 12)]:
        _start(site, today, item, chance.randint(2, 9), plan, sprints)
    if waiting:
        site.change(waiting[-1], at=moment(today, 12, 11), points=8.0)
    return items


def _start(site: Site, today: date, item: Issue, days_ago: float, plan: Plan, sprints: Sequence[Sprint]) -> None:
    at = moment(today, days_ago, 9, 30)
    if at <= item.created:
        at = item.created + timedelta(minutes=20)
    site.change(item, at=at, assignee=f"{plan.team} team", sprint=_sprint_of(at, sprints))
    site.change(item, at=at + timedelta(minutes=30), status="In Progress")
    _start_epic(site, item, at + timedelta(minutes=31))


def _start_epic(site: Site, item: Issue, at: datetime) -> None:
    epic = site.issues[item.parent] if item.parent else None
    if epic is not None and epic.status == "To Do":
        site.change(epic, at=at, status="In Progress")


def _finish(
    site: Site, today: date, item: Issue, days_ago: float, plan: Plan, sprints: Sequence[Sprint], chance: random.Random
) -> None:
    _start(site, today, item, min(HISTORY - 2, days_ago + chance.randint(1, 6)), plan, sprints)
    end = moment(today, days_ago, chance.randint(11, 16), chance.randint(0, 59))
    end = max(end, item.updated + timedelta(minutes=45))
    if chance.random() < 0.6:
        site.change(item, at=end - timedelta(minutes=20), status="In Review")
    site.change(item, at=end, status="Done")


def _sprint_of(at: datetime, sprints: Sequence[Sprint]) -> Sprint | None:
    return next((sprint for sprint in sprints if sprint.start <= at < sprint.end), None)


def _loose_ends(company: Company, chance: random.Random) -> None:
    """Add what makes a company real: a reopened epic, blockers, sub-tasks, bugs of nobody, a move, a new parent."""
    site, today = company.site, company.today
    epic = company.epics["I2"][0]
    site.change(epic, at=moment(today, 12, 16), status="Done")
    site.change(epic, at=moment(today, 6, 10), status="In Progress")

    blocker = site.create(
        "CORE", "Task", "Give the identity service its own queue", at=moment(today, 25), team="Platform", points=5.0
    )
    open_items = [item for item in company.items["I7"] if item.status != "Done"]
    for item in open_items[: PLANS[6].blocked]:
        site.link(blocker, item, at=moment(today, 24, 14))

    for item in company.items["I1"][:4]:
        for part in ("Agree on names", "Write it down"):
            child = site.create("PAY", "Sub-task", part, at=item.created + timedelta(hours=1), parent=item)
            if item.status == "Done":
                site.change(child, at=item.updated, status="Done")

    for number in range(9):
        project, _ = PROJECTS[number % 3]
        site.create(project, "Bug", f"Report {number + 1} from support", at=moment(today, 2 + 5 * number, 14))

    moved = company.items["-"][-1]
    site.move(moved, "PAY", at=moment(today, 9, 13))
    adopted = company.items["I5"][-1]
    site.change(adopted, at=moment(today, 8, 13), parent=company.epics["I5"][0])


# What happens next


def step(site: Site, chance: random.Random) -> list[Change]:
    """Let one thing happen now: someone starts, reviews, finishes or adds an issue; return what was told."""
    known = len(site.changes)
    standard = [i for i in site.issues.values() if site.visible(i) and site.types[i.type].level == 0 and i.parent]
    by_status = {name: [i for i in standard if i.status == name] for name in ("To Do", "In Progress", "In Review")}
    kind = chance.choices(("finish", "start", "review", "add", "estimate"), weights=(5, 4, 3, 1, 1))[0]
    source = {"finish": "In Review", "review": "In Progress"}.get(kind, "To Do")
    candidates = by_status[source]
    if not candidates or kind == "add":
        epic = chance.choice([i for i in site.issues.values() if i.type == "Epic" and site.visible(i)])
        key, number = site.projects[epic.project].key, site.projects[epic.project].last_number
        site.create(
            key, "Story", f"{chance.choice(_STEPS)} {epic.summary.partition(': ')[2]}, part {number}",
            parent=epic, points=chance.choice(POINTS), team=epic.team,
        )  # fmt: skip
        return site.changes[known:]
    item = chance.choice(candidates)
    match kind:
        case "finish":
            site.change(item, status="Done")
        case "review":
            site.change(item, status="In Review")
        case "start":
            site.change(item, status="In Progress", assignee=f"{item.team} team")
        case _:
            site.change(item, points=chance.choice(POINTS))
    return site.changes[known:]
