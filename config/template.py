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
class Kind:
    """What differs between trackers in a first workspace file: texts, with the answers as placeholders."""

    connection: str
    scope: str
    key: str
    work: str
    outlet: str
    variable: str


KINDS = {
    "jira": Kind(
        connection="""\
    {url}
    auth: {auth}   # export {variable}=… before you run keyrail
    scope: {{projects: [{scope}]}}   # or {{jql: "labels = okr", children: true}}
    # estimate: auto                        # or the name of your story point field
    # statuses: {{"In Review": review}}       # status words that count as something else than Jira says""",
        scope="PAY",
        key="{first}-1",
        work="an epic; its children come along",
        outlet="remote_link",
        variable="JIRA_TOKEN",
    ),
    "github": Kind(
        connection="""\
    {url}
    auth: {{token: {token}}}   # export {variable}=… before you run keyrail; or {{app: …}}
    scope: {{repositories: [{scope}]}}   # or organizations: [acme], projects: [acme/12]
    # estimate: {{issue_field: Effort}}       # or {{project_field: Points}} or {{label: "size/(\\\\d+)"}}
    # status: {{project_field: Status}}       # or {{label: "status/(.+)"}}; else open, closed and the reason
    # statuses: {{"In Review": review}}       # status words that count as something else than usual""",
        scope="acme/api",
        key="{first}#1",
        work="an issue; its sub-issues come along",
        outlet="comment",
        variable="GITHUB_TOKEN",
    ),
    "linear": Kind(
        connection="""\
    auth: {{token: {token}}}   # export {variable}=… before you run keyrail; or {{oauth: …}}
    scope: {{teams: [{scope}]}}   # the projects and initiatives that they touch come along
    # statuses: {{"In Review": review}}       # states that count as something else than their type says""",
        scope="ENG",
        key="{first}-1",
        work="an issue, or projects: [TITLE]; what is below comes along",
        outlet="attachment",
        variable="LINEAR_TOKEN",
    ),
}
"""by type of tracker"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What `init` must know. `scope` holds project keys, repositories or team keys, as the tracker has them.

    `url` and `email` are asked of Jira alone; of GitHub an empty `url` means github.com. `token_variable` names the
    environment variable that holds the token, the tracker's usual one where it is empty.
    """

    name: str
    tracker: str = "jira"
    url: str = ""
    email: str = ""
    scope: Sequence[str] = ()
    timezone: str = "UTC"
    token_variable: str = ""
    today: date | None = None

    @property
    def variable(self) -> str:
        """The environment variable that holds the token."""
        return self.token_variable or KINDS[self.tracker].variable


def template(answers: Answers) -> str:
    """Return the text of a workspace file for one connection; it loads without an error.

    The first timeframe is the quarter of `answers.today`, of the current day where that is not said.
    """
    kind = KINDS[answers.tracker]
    name = NOT_A_NAME.sub("-", answers.name.strip()).strip("-._") or "workspace"
    scope = [key.strip() for key in answers.scope if key.strip()] or [kind.scope]
    quarter, start, end = quarter_of(answers.today or date.today())  # noqa: DTZ011  # only a suggestion
    token = scalar(f"${{env:{answers.variable}}}")
    said = {
        "url": _url(answers),
        "auth": _auth(answers.email.strip(), token),
        "token": token,
        "variable": answers.variable,
        "scope": ", ".join(scalar(key) for key in scope),
    }
    return TEXT.format(
        editor=EDITOR_LINE,
        name=scalar(name),
        timezone=scalar(answers.timezone),
        tracker=answers.tracker,
        secret=f"{answers.tracker.upper()}_WEBHOOK_SECRET",
        connection=kind.connection.format(**said),
        first=scalar(kind.key.format(first=scope[0])),
        work=kind.work,
        outlet=kind.outlet,
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


def _url(answers: Answers) -> str:
    said = answers.url.strip()
    if answers.tracker == "github" and not said:
        return "# url: https://HOST/api/v3              # of an Enterprise Server"
    return f"url: {scalar(said)}"


def _auth(email: str, token: str) -> str:
    return f"{{email: {scalar(email)}, token: {token}}}" if email else f"{{pat: {token}}}"


TEXT = """\
{editor}
# The workspace file of Keyrail. `keyrail check` validates it; `keyrail schema > keyrail.schema.json` lets
# your editor complete its keys. Secrets are never written here: "${{env:NAME}}" and "${{file:PATH}}" name them.
version: 1
workspace: {name}   # part of the key of everything that is published: keep it
timezone: {timezone}   # where days start and end

connections:
  {tracker}-main:
    type: {tracker}
{connection}
    # poll: 5m
    # webhook: {{secret: "${{env:{secret}}}"}}

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
      - {{connection: {tracker}-main, keys: [{first}]}}   # {work}

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
#   - id: {tracker}-badge
#     to: {{connection: {tracker}-main, as: {outlet}}}
#     what: initiatives
#     on: linked_epics
#     when: {{progress: 1pp, health: change, at_most: 24h}}
"""
