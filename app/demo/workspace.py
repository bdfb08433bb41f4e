"""The workspace file of the sample company, and the check-ins that go with it, for a date.

Only texts and dates; the work itself is built by `company`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from app.demo.company import QUARTER_AFTER, QUARTER_BEFORE
from domain.okr import CheckIn

CHECK_INS: dict[str, tuple[tuple[int, float, str], ...]] = {
    "KR1": ((44, 2.1, ""), (37, 2.2, ""), (30, 2.3, "Stored cards live in two regions"), (23, 2.4, ""),
            (16, 2.5, ""), (9, 2.55, ""), (3, 2.62, "One-click pay live in four regions")),
    "KR3": ((44, 2.4, ""), (37, 2.3, ""), (30, 2.1, "Smaller bundle is out"), (23, 2.05, ""), (16, 1.95, ""),
            (9, 1.85, ""), (2, 1.8, "")),
    "KR4": ((44, 400.0, ""), (37, 392.0, ""), (30, 375.0, ""), (23, 362.0, "Two bank holidays missed"), (16, 348.0, ""),
            (9, 335.0, ""), (3, 325.0, "Retries help less than hoped")),
    "KR6": ((44, 40.0, ""), (37, 40.0, ""), (30, 42.0, ""), (23, 43.0, "Sign-up is out, few come"), (16, 44.0, ""),
            (9, 45.0, ""), (3, 46.0, "The pages are done; merchants still call us")),
}  # fmt: skip
"""By key result: (days ago, value, note). KR6 hardly moves although nearly all its work is delivered."""


def quarter(today: date) -> tuple[date, date]:
    """Return the first and the last day of the sample quarter."""
    return today - timedelta(days=QUARTER_BEFORE), today + timedelta(days=QUARTER_AFTER)


def check_ins(today: date) -> list[CheckIn]:
    """Return the check-ins that the sample company made so far, oldest first."""
    rows = [
        (datetime.combine(today - timedelta(days=days), time(8), UTC), key_result, value, note)
        for key_result, values in CHECK_INS.items()
        for days, value, note in values
    ]
    return [
        CheckIn(key_result=key_result, as_of=at, value=value, recorded_at=at, by="product-ops@example.com", note=note)
        for at, key_result, value, note in sorted(rows, key=lambda row: (row[0], row[1]))
    ]


def workspace_text(urls: Mapping[str, str], today: date) -> str:
    """Return the sample company's `keyrail.yaml`, with dates around `today`.

    `urls` are the addresses of its trackers, by type. Without GitHub and Linear the file is about the Jira alone.
    Secrets are taken from DEMO_JIRA_TOKEN, DEMO_JIRA_WEBHOOK_SECRET and so on for each tracker.
    """
    start, end = quarter(today)
    values = {f"{tracker.upper()}_URL": url for tracker, url in urls.items()}
    values |= {"START": start.isoformat(), "END": end.isoformat()}
    values |= {f"DAY{day:+d}": (today + timedelta(days=day)).isoformat() for day in (-63, -42, 21, 30, 37, 40, 44)}
    text = _TEMPLATE
    for tracker, parts in (("github", _GITHUB), ("linear", _LINEAR)):
        for place, part in parts.items():
            text = text.replace(f"<{tracker}:{place}>\n", part if tracker in urls else "")
    for name, value in values.items():
        text = text.replace(f"<{name}>", value)
    return text


_TEMPLATE = """\
# yaml-language-server: $schema=./keyrail.schema.json
# The sample company of `keyrail demo`: one product, three objectives, work in up to three trackers.
version: 1
workspace: demo
timezone: Europe/Berlin

connections:
  jira-demo:
    type: jira
    url: <JIRA_URL>
    auth: {email: keyrail-bot@example.com, token: "${env:DEMO_JIRA_TOKEN}"}
    deployment: cloud
    scope: {projects: [PAY, CORE, MER]}
    estimate: Story point estimate
    fields: {team: Team}
    statuses: {"In Review": review}
    poll: 1m
    webhook: {secret: "${env:DEMO_JIRA_WEBHOOK_SECRET}"}
<github:connection>
<linear:connection>

timeframes:
  this-quarter: {start: <START>, end: <END>}

dimensions:
  product: {targets: {Checkout: 0.4, Platform: 0.3, Merchants: 0.3}}
  bet: {values: [core, new], targets: {core: 0.7, new: 0.3}}

teams:
  Payments: {capacity_weeks: {this-quarter: 48}}
  Web: {capacity_weeks: {this-quarter: 20}}
  Ledger: {capacity_weeks: {this-quarter: 24}}
  Platform: {capacity_weeks: {this-quarter: 30}}
  Merchants: {capacity_weeks: {this-quarter: 36}}
  Identity: {capacity_weeks: {this-quarter: 20}}

objectives:
  - id: O1
    title: Checkout that nobody notices
    timeframe: this-quarter
    owner: payments-lead@example.com
    dimensions: {product: Checkout}
    key_results:
      - id: KR1
        title: Checkout conversion from 2.1 % to 3 %
        metric: {kind: number, start: 2.1, target: 3.0, unit: "%", check_in_every: 7d}
      - id: KR2
        title: One-click pay in all regions
        weight: 2
      - id: KR3
        title: Payment page paints within 1.2 s
        metric: {kind: number, start: 2.4, target: 1.2, unit: s, direction: decrease, check_in_every: 7d}

  - id: O2
    title: Payouts that merchants can trust
    timeframe: this-quarter
    owner: platform-lead@example.com
    dimensions: {product: Platform}
    key_results:
      - id: KR4
        title: Payout errors a week from 400 to 150
        metric: {kind: number, start: 400, target: 150, direction: decrease, check_in_every: 7d}
      - id: KR5
        title: All books on the double-entry ledger

  - id: O3
    title: Merchants who start on their own
    timeframe: this-quarter
    owner: merchants-lead@example.com
    dimensions: {product: Merchants}
    key_results:
      - id: KR6
        title: Merchants onboarded without help from 40 to 120 a month
        metric: {kind: number, start: 40, target: 120, check_in_every: 7d}
        commitment: aspirational
      - id: KR7
        title: Documents checked in a day, partners included

initiatives:
  - id: I1
    title: One-click pay
    contributes: [{to: KR1, share: 0.6, benefit: 80}, {to: KR2}]
    dimensions: {product: Checkout, bet: core}
    team: Payments
    start: <DAY-63>
    due: <DAY+44>
    planned_weeks: 26
<linear:cards>
  - id: I2
    title: Wallets in every region
    contributes: [{to: KR1, share: 0.4, benefit: 30}, {to: KR2}]
    dimensions: {product: Checkout, bet: core}
    team: Payments
    start: <DAY-63>
    due: <DAY+44>
    planned_weeks: 18
  - id: I3
    title: A faster payment page
    contributes: [{to: KR3, benefit: 40}]
    dimensions: {product: Checkout, bet: core}
    team: Web
    start: <DAY-63>
    due: <DAY+40>
    planned_weeks: 16
  - id: I4
    title: Double-entry ledger
    contributes: [{to: KR5, benefit: 60}]
    dimensions: {product: Platform, bet: core}
    team: Ledger
    start: <DAY-42>
    due: <DAY+44>
    planned_weeks: 22
  - id: I5
    title: Payouts that repair themselves
    contributes: [{to: KR4, benefit: 50}]
    dimensions: {product: Platform, bet: core}
    team: Platform
    start: <DAY-63>
    due: <DAY+40>
    planned_weeks: 14
  - id: I6
    title: Self-service for merchants
    contributes: [{to: KR6, benefit: 70}]
    dimensions: {product: Merchants, bet: new}
    team: Merchants
    start: <DAY-63>
    due: <DAY+21>
    planned_weeks: 20
    work:
      - {connection: jira-demo, keys: [MER-1, MER-2, MER-3, MER-4, MER-5]}
<linear:work>
  - id: I7
    title: Document check
    contributes: [{to: KR7, benefit: 45}]
    dimensions: {product: Merchants, bet: core}
    team: Identity
    start: <DAY-63>
    due: <DAY+37>
    planned_weeks: 18
  - id: I8
    title: Partner sign-up
    contributes: [{to: KR7, share: 0.5, benefit: 15}]
    dimensions: {product: Merchants, bet: new}
    team: Merchants
    start: <DAY-63>
    due: <DAY+30>
    planned_weeks: 12

mapping:
  - name: label-names-the-initiative
    when: {labels: {matches: "okr/(?P<id>[\\\\w-]+)"}}
    initiative: "{id}"
  - name: documents-of-the-identity-team
    when: {connection: jira-demo, level: epic, project: MER, fields.team: Identity}
    initiative: I7
<linear:rule>

policies:
  credit: binary
  size: count

publish:
  - id: jira-badge
    to: {connection: jira-demo, as: remote_link}
    what: initiatives
    on: linked_epics
    when: {progress: 1pp, health: change, at_most: 24h}
<github:publish>
<linear:publish>
"""

_GITHUB = {
    "connection": """\
  github-demo:
    type: github
    url: <GITHUB_URL>
    auth: {token: "${env:DEMO_GITHUB_TOKEN}"}
    scope: {organizations: [acme], projects: [acme/1]}
    estimate: {issue_field: Effort}
    status: {project_field: Status}
    statuses: {"In Review": review}
    epics: {types: [Epic], with_sub_issues: true, milestones: false}
    budget: 1
    poll: 1m
    webhook: {secret: "${env:DEMO_GITHUB_WEBHOOK_SECRET}"}
""",
    "publish": """\
  - id: github-comment
    to: {connection: github-demo, as: comment}
    what: initiatives
    on: linked_epics
    when: {progress: 5pp, health: change, at_most: 24h}
""",
}

_LINEAR = {
    "connection": """\
  linear-demo:
    type: linear
    url: <LINEAR_URL>
    auth: {token: "${env:DEMO_LINEAR_TOKEN}"}
    scope: {teams: [MOB, DES]}
    statuses: {"In Review": review}
    poll: 1m
    webhook: {secret: "${env:DEMO_LINEAR_WEBHOOK_SECRET}"}
""",
    "cards": """\
    work:
      - {connection: linear-demo, keys: [MOB-1, MOB-2, MOB-3]}   # these show how the initiative stands
""",
    "work": """\
      - {connection: linear-demo, projects: ["Self-service onboarding screens"]}
""",
    "rule": """\
  - name: initiatives-that-live-in-linear
    when: {connection: linear-demo, level: initiative, labels: {matches: "kr/(?P<kr>.+)"}}
    initiative: {create: true, contributes: [{to: "{kr}"}]}
""",
    "publish": """\
  - id: linear-card
    to: {connection: linear-demo, as: attachment}
    what: initiatives
    on: linked_epics
    when: {progress: 5pp, health: change, at_most: 24h}
""",
}
"""What each further tracker adds to the file, by place."""
