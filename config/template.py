"""The commented keyrail.yaml that `keyrail init` writes.

Only text; asking for the answers and writing the file is the command's business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from config.schema import EDITOR_LINE
from config.written import scalar

NOT_A_NAME = re.compile(r"[^\w.\-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What `init` must know. `token_variable` names the environment variable that holds the token."""

    name: str
    url: str
    email: str
    projects: Sequence[str]
    timezone: str = "UTC"
    token_variable: str = "JIRA_TOKEN"  # noqa: S105  # the name of a variable, not a token
    today: date | None = None


def template(answers: Answers) -> str:
    """Return the text of a workspace file for one Jira connection; it loads without an error.

    The first timeframe is the quarter of `answers.today`, of the current day where that is not said.
    """
    name = NOT_A_NAME.sub("-", answers.name.strip()).strip("-._") or "workspace"
    projects = [key.strip() for key in answers.projects if key.strip()] or ["PAY"]
    quarter, start, end = quarter_of(answers.today or date.today())  # noqa: DTZ011  # only a suggestion
    return TEXT.format(
        editor=EDITOR_LINE,
        name=scalar(name),
        timezone=scalar(answers.timezone),
        url=scalar(answers.url.strip()),
        auth=_auth(answers),
        projects=", ".join(scalar(key) for key in projects),
        first=scalar(f"{projects[0]}-1"),
        variable=answers.token_variable,
        quarter=quarter,
        start=start,
        end=end,
    )


def quarter_of(day: date) -> tuple[str, date, date]:
    """Return name, first and last day of the quarter of a day: ``2026-Q4``, 2026-10-01, 2026-12-31."""
    number = (day.month - 1) // 3
    start = date(day.year, number * 3 + 1, 1)
    following = date(day.year + number // 3, (number * 3 + 3) % 12 + 1, 1)
    return f"{day.year}-Q{number + 1}", start, following - timedelta(days=1)


def _auth(answers: Answers) -> str:
    token = scalar(f"${{env:{answers.token_variable}}}")
    if answers.email.strip():
        return f"{{email: {scalar(answers.email.strip())}, token: {token}}}"
    return f"{{pat: {token}}}"


TEXT = """\
{editor}
# The workspace file of Keyrail. `keyrail check` validates it; `keyrail schema > keyrail.schema.json` lets
# your editor complete its keys. Secrets are never written here: "${{env:NAME}}" and "${{file:PATH}}" name them.
version: 1
workspace: {name}   # part of the key of everything that is published: keep it
timezone: {timezone}   # where days start and end

connections:
  jira-main:
    type: jira
    url: {url}
    auth: {auth}   # export {variable}=… before you run keyrail
    scope: {{projects: [{projects}]}}   # or {{jql: "labels = okr", children: true}}
    # estimate: auto                        # or the name of your story point field
    # statuses: {{"In Review": review}}       # status words that count as something else than Jira says
    # poll: 5m
    # webhook: {{secret: "${{env:JIRA_WEBHOOK_SECRET}}"}}

timeframes:
  {quarter}: {{start: {start}, end: {end}}}

# The axes of your portfolio; objective, initiative, team and timeframe are always there.
# dimensions:
#   product: {{targets: {{Checkout: 0.5, Platform: 0.3}}}}

objectives:
  - id: O1
    title: "An objective: what you want"
    timeframe: {quarter}
    # owner: you@example.com
    key_results:
      - id: KR1
        title: "A key result with a measured outcome"
        metric: {{kind: number, start: 0, target: 100, unit: "%"}}     # values: keyrail check-in KR1 42
      - id: KR2
        title: "A key result that is reached when the work behind it is done"

initiatives:
  - id: I1
    title: "An initiative: what you do about it"
    contributes: [KR1, KR2]
    # start: {start}
    # due: {end}
    work:
      - {{connection: jira-main, keys: [{first}]}}   # an epic; its children come along

# Rules link whole fleets of items; the first that matches wins.
mapping:
  - name: label-names-the-initiative        # the label okr/I1 links an item to I1
    when: {{labels: {{matches: "okr/(?P<id>[\\\\w-]+)"}}}}
    initiative: "{{id}}"

# How numbers are computed; left out, each has its default.
policies:
  credit: binary                            # binary | linear | half | staged
  size: count                               # count | points | time | equal_per_child | {{field: NAME}}

# Nothing is published until you say where; `keyrail publish --plan` shows what would be written.
# publish:
#   - id: jira-badge
#     to: {{connection: jira-main, as: remote_link}}
#     what: initiatives
#     on: linked_epics
#     when: {{progress: 1pp, health: change, at_most: 24h}}
"""
