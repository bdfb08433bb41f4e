"""A whole workspace file and the values it becomes."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from config.workspace import load, secrets
from domain.errors import ConfigError
from domain.okr import Contribution, ManualRollup, Metric, Milestone, Status, Timeframe, WorkSelector
from domain.rules import All, Calendar, CreateInitiative, Credit, ForecastPolicy, HealthPolicy, Not, Test
from domain.rules import Any as AnyOf
from domain.workspace import PublishWhen, Secret, Team

SAMPLE = """\
version: 1
workspace: acme
timezone: Europe/Berlin

connections:
  jira-main:
    type: jira
    url: https://acme.atlassian.net/
    auth: {email: bot@acme.com, token: "${env:JIRA_TOKEN}"}
    deployment: auto
    scope: {projects: [PAY, CORE]}
    levels: {initiative: [Initiative, Theme], epic: [Epic, Feature]}
    estimate: auto
    fields: {team: "Team", region: "customfield_10044"}
    statuses: {"In Review": review, "Rejected": canceled}
    resolutions: {"Abgelehnt": canceled}
    poll: 10m
    census: 48h
    webhook: {secret: "${env:JIRA_WEBHOOK_SECRET}"}
    budget: 0.25
  github-acme:
    type: github
    url: https://api.github.com
    auth: {app: {id: 123, installation: 456, private_key: "${file:github.pem}"}}
    scope: {repositories: [acme/api, acme/web], organizations: [], projects: [acme/12]}
    estimate: {issue_field: Effort}
    status: {project_field: Status}
    statuses: {"In Progress": in_progress}
    epics: {types: [Epic], with_sub_issues: true, milestones: false}
  linear-acme:
    type: linear
    auth: {client_credentials: {client_id: abc, client_secret: "${env:LINEAR_SECRET}"}}
    scope: {teams: [ENG, DES]}

mirrors:
  - ["github-acme:acme/api#9", jira-main:PAY-7]

timeframes:
  2026: {start: 2026-01-01, end: 2026-12-31}
  2026-Q4: {start: 2026-10-01, end: 2026-12-31, parent: 2026}

dimensions:
  product: {targets: {Checkout: 0.5, Platform: 0.3}}
  region: {}
  bet: {values: [core, adjacent, new], targets: {core: 0.7}}
teams:
  Payments: {capacity_weeks: {2026-Q4: 60}}

objectives:
  - id: O0
    title: The calm way to sell
    timeframe: 2026
  - id: O1
    title: Checkout that nobody notices
    timeframe: 2026-Q4
    owner: maria@acme.com
    parent: O0
    status: active
    rollup: {manual: 0.4, by: maria@acme.com, reason: The numbers are late, until: 2026-11-30}
    dimensions: {product: Checkout}
    policies: {size: points, health: {on_track: 0.95}}
    key_results:
      - id: KR1
        title: Checkout conversion from 2.1 % to 3 %
        metric: {kind: number, start: 2.1, target: 3.0, unit: "%", check_in_every: 2w, targets: {2026-11-15: 2.5}}
        source: {sum: {connection: jira-main, fields.region: NO}, field: estimate}
        commitment: aspirational
        continues: KR-2026Q3-1
        was: [KR-OLD]
      - id: KR2
        title: One-click pay in all regions
        timeframe: 2026
        weight: 2
        status: closed
        closed_on: 2026-11-01
        metric: {kind: milestones, milestones: [{title: One, weight: 3, done: 2026-10-20}, Two]}
        external: {goals: "ari:cloud:townsquare:x"}

initiatives:
  - id: I1
    title: One-click pay
    contributes: [{to: KR1, share: 0.6, benefit: 80}, {to: KR2, share: 0.4}]
    dimensions: {product: Checkout, region: [EU, NO], bet: {core: 0.7, new: 0.3}}
    team: Payments
    start: 2026-10-01
    due: 2026-12-10
    planned_weeks: 30
    external: {github-acme: "acme/12", linear-acme: "One-click pay"}
    work:
      - {connection: jira-main, keys: [PAY-12, PAY-40]}
      - {connection: linear-acme, projects: ["One-click pay"]}
  - id: I2
    title: Wallets
    contributes: KR2
    work: github-acme:acme/api#418

mapping:
  - name: label-names-the-initiative
    when: {labels: {matches: "okr/(?P<id>[\\\\w-]+)"}}
    initiative: "{id}"
  - name: checkout-epics
    when: {connection: jira-main, level: epic, project: PAY, fields.team: [Payments, Checkout]}
    initiative: I1
    set: {product: Checkout}
    also: true
  - name: linear-initiatives
    when: {connection: linear-acme, level: initiative, labels: {matches: "kr/(?P<kr>.+)"}}
    initiative: {create: true, contributes: [{to: "{kr}", share: 0.5, benefit: 3}]}

policies:
  credit: {todo: 0, started: 0.25, review: 0.75, done: 1}
  size: {field: effort}
  unestimated: one
  leaf_level: lowest
  canceled: as_open
  before_start: include
  parent_done_wins: true
  top_down: true
  scope_basis: baseline
  inaccessible_grace: 2w
  decrease: hold
  divergence: 0.4
  calendar: {kind: working_days, holidays: [2026-12-25]}
  health: {bands: ratio}
  forecast: {window: 60d, growth: uniform, runs: 500, calendar_factor: {12: 0.5}, range: [20, 30, 52]}

publish:
  - id: jira-badge
    to: {connection: jira-main, as: remote_link}
    what: initiatives
    on: linked_epics
    only: {team: Payments, product: Checkout}
    when: {progress: 5pp, health: never, at_most: 2d}
  - id: jira-field
    to: {connection: jira-main, as: field, field: "OKR progress"}
    what: initiatives
    mode: dry_run
  - id: exec-digest
    to: {slack: "${env:SLACK_WEBHOOK}"}
    what: objectives
    when: {cron: "0 9 * * MON"}
    template: "{{ title }}: {{ progress }}"
  - id: goals
    to: {goals: {site: acme, email: bot@acme.com, token: "${env:JIRA_TOKEN}"}}
    what: key_results
    experimental: true
"""


@pytest.fixture
def workspace(write):
    path = write({"keyrail.yaml": SAMPLE, "github.pem": "-----BEGIN KEY-----\nabc\n-----END KEY-----\n"})
    return load(path, {"JIRA_TOKEN": "t0ken", "SLACK_WEBHOOK": "https://hooks.slack.com/services/T/B/x"})


def test_head(workspace, tmp_path: Path) -> None:
    assert (workspace.name, workspace.timezone) == ("acme", "Europe/Berlin")
    assert workspace.files == (str(tmp_path / "keyrail.yaml"),)
    assert len(workspace.digest) == 64


def test_a_jira_connection(workspace) -> None:
    found = workspace.connections["jira-main"]
    assert (found.name, found.type, found.url) == ("jira-main", "jira", "https://acme.atlassian.net")
    assert found.scope == {"projects": ["PAY", "CORE"]}
    assert found.levels == {"initiative": ("Initiative", "Theme"), "epic": ("Epic", "Feature")}
    assert found.statuses == {"in review": "review", "rejected": "canceled"}
    assert found.resolutions == {"abgelehnt": "canceled"}
    assert found.fields == {"team": "Team", "region": "customfield_10044"}
    assert (found.poll, found.census, found.budget) == (timedelta(minutes=10), timedelta(hours=48), 0.25)
    assert found.auth["email"] == "bot@acme.com"
    token = found.auth["token"]
    assert isinstance(token, Secret)
    assert (token.source, token.reveal()) == ("env:JIRA_TOKEN", "t0ken")
    assert found.webhook_secret is not None
    assert found.webhook_secret.missing


def test_a_github_connection(workspace) -> None:
    found = workspace.connections["github-acme"]
    app = found.auth["app"]
    assert (app["id"], app["installation"]) == ("123", "456")
    assert app["private_key"].reveal() == "-----BEGIN KEY-----\nabc\n-----END KEY-----"
    assert found.scope == {"repositories": ["acme/api", "acme/web"], "organizations": [], "projects": ["acme/12"]}
    assert (found.estimate, found.status) == ({"issue_field": "Effort"}, {"project_field": "Status"})
    assert found.epics == {"types": ["Epic"], "with_sub_issues": True, "milestones": False}


def test_a_linear_connection_has_its_address_by_default(workspace) -> None:
    found = workspace.connections["linear-acme"]
    assert found.url == "https://api.linear.app/graphql"
    assert found.auth["client_credentials"]["client_id"] == "abc"
    assert (found.poll, found.census, found.budget) == (timedelta(minutes=5), timedelta(hours=24), 0.5)


def test_the_first_connection_of_the_file_leads_a_mirror(workspace) -> None:
    assert workspace.mirrors == ((("jira-main", "PAY-7"), ("github-acme", "acme/api#9")),)


def test_timeframes_dimensions_teams(workspace) -> None:
    assert workspace.timeframes["2026-Q4"] == Timeframe(
        id="2026-Q4", start=date(2026, 10, 1), end=date(2026, 12, 31), parent="2026"
    )
    assert workspace.dimensions["bet"].values == ("core", "adjacent", "new")
    assert workspace.dimensions["region"].values == ()
    assert workspace.dimensions["product"].targets == {"Checkout": 0.5, "Platform": 0.3}
    assert workspace.teams == {"Payments": Team(name="Payments", capacity_weeks={"2026-Q4": 60})}


def test_objectives(workspace) -> None:
    found = workspace.objectives["O1"]
    assert found.parent == "O0"
    assert found.rollup == ManualRollup(
        value=0.4, by="maria@acme.com", reason="The numbers are late", until=date(2026, 11, 30)
    )
    assert found.policies == {"size": "points", "size_field": None, "health": {"on_track": 0.95}}
    assert workspace.objectives["O0"].rollup == "auto"


def test_key_results(workspace) -> None:
    first, second = workspace.key_results["KR1"], workspace.key_results["KR2"]
    assert (first.objective, first.timeframe, second.timeframe) == ("O1", "2026-Q4", "2026")
    assert first.metric == Metric(
        kind="number",
        start=2.1,
        target=3.0,
        unit="%",
        check_in_every=timedelta(weeks=2),
        targets=((date(2026, 11, 15), 2.5),),
    )
    assert first.source == {
        "sum": All(
            inner=(
                Test(field="connection", op="in", value=("jira-main",)),
                Test(field="fields.region", op="in", value=("NO",)),
            )
        ),
        "field": "estimate",
    }
    assert (first.commitment, first.continues, first.was) == ("aspirational", "KR-2026Q3-1", ("KR-OLD",))
    assert (second.weight, second.status, second.closed_on) == (2, Status.CLOSED, date(2026, 11, 1))
    assert second.metric is not None
    assert second.metric.milestones == (
        Milestone(title="One", weight=3, done=date(2026, 10, 20)),
        Milestone(title="Two"),
    )
    assert second.external == {"goals": "ari:cloud:townsquare:x"}


def test_initiatives(workspace) -> None:
    found = workspace.initiatives["I1"]
    assert found.contributes == (
        Contribution(to="KR1", share=0.6, benefit=80, explicit=True),
        Contribution(to="KR2", share=0.4, explicit=True),
    )
    assert found.dimensions == {"product": "Checkout", "region": ["EU", "NO"], "bet": {"core": 0.7, "new": 0.3}}
    assert found.work == (
        WorkSelector(connection="jira-main", keys=("PAY-12", "PAY-40")),
        WorkSelector(connection="linear-acme", projects=("One-click pay",)),
    )
    assert (found.start, found.due, found.planned_weeks) == (date(2026, 10, 1), date(2026, 12, 10), 30)


def test_single_words_stand_for_lists(workspace) -> None:
    found = workspace.initiatives["I2"]
    assert found.contributes == (Contribution(to="KR2", share=1, explicit=False),)
    assert found.work == (WorkSelector(connection="github-acme", keys=("acme/api#418",)),)


def test_rules(workspace, tmp_path: Path) -> None:
    label, checkout, linear = workspace.rules
    assert label.when == Test(field="labels", op="matches", value=r"okr/(?P<id>[\w-]+)")
    assert (label.initiative, label.also) == ("{id}", False)
    assert SAMPLE.splitlines()[label.line - 1].strip() == "- name: label-names-the-initiative"
    assert label.file == str(tmp_path / "keyrail.yaml")
    assert checkout.when == All(
        inner=(
            Test(field="connection", op="in", value=("jira-main",)),
            Test(field="level", op="in", value=("epic",)),
            Test(field="project", op="in", value=("PAY",)),
            Test(field="fields.team", op="in", value=("Payments", "Checkout")),
        )
    )
    assert (checkout.initiative, checkout.set, checkout.also) == ("I1", {"product": "Checkout"}, True)
    assert linear.initiative == CreateInitiative(contributes=(("{kr}", 0.5, 3),))


def test_policies(workspace) -> None:
    found = workspace.policies
    assert found.credit == Credit(todo=0, started=0.25, review=0.75, done=1)
    assert (found.size, found.size_field, found.unestimated, found.leaf_level) == ("field", "effort", "one", "lowest")
    assert (found.canceled, found.before_start, found.scope_basis) == ("as_open", "include", "baseline")
    assert (found.parent_done_wins, found.top_down, found.decrease, found.divergence) == (True, True, "hold", 0.4)
    assert found.inaccessible_grace == 14
    assert found.calendar == Calendar(kind="working_days", holidays=(date(2026, 12, 25),))
    assert found.health == HealthPolicy(bands="ratio", on_track=0.9, at_risk=0.75)
    assert found.forecast == ForecastPolicy(
        window=60, growth="uniform", runs=500, calendar_factor={12: 0.5}, range=(20, 30, 52)
    )


def test_policies_of_an_objective_lie_over_the_workspace_s(workspace) -> None:
    found = workspace.policies_of("KR1")
    assert (found.size, found.size_field, found.unestimated) == ("points", None, "one")


def test_publish_rows(workspace) -> None:
    badge, field, digest, goals = workspace.publish
    assert (badge.outlet, badge.connection, badge.to, badge.on) == (
        "jira.remote_link",
        "jira-main",
        {},
        "linked_epics",
    )
    assert badge.only == All(
        inner=(
            Test(field="team", op="in", value=("Payments",)),
            Test(field="product", op="in", value=("Checkout",)),
        )
    )
    assert badge.when == PublishWhen(progress=0.05, health=False, at_most=timedelta(days=2))
    assert (field.outlet, field.to, field.mode) == (
        "jira.field",
        {"field": "OKR progress", "value": "progress"},
        "dry_run",
    )
    assert field.when == PublishWhen(progress=0.01, health=True, at_most=timedelta(hours=24))
    assert (digest.outlet, digest.connection, digest.template) == ("slack", None, "{{ title }}: {{ progress }}")
    assert digest.when == PublishWhen(progress=None, health=False, at_most=None, cron="0 9 * * MON")
    assert digest.to["url"].reveal() == "https://hooks.slack.com/services/T/B/x"
    assert (goals.outlet, goals.to["site"], goals.experimental) == ("goals", "acme", True)
    assert goals.to["token"].source == "env:JIRA_TOKEN"


def test_every_secret_is_found_for_the_masks(workspace) -> None:
    assert sorted({secret.source for secret in secrets(workspace)}) == [
        "env:JIRA_TOKEN",
        "env:JIRA_WEBHOOK_SECRET",
        "env:LINEAR_SECRET",
        "env:SLACK_WEBHOOK",
        "file:github.pem",
    ]


def test_a_missing_secret_is_told_when_it_is_needed(workspace) -> None:
    with pytest.raises(ConfigError, match="environment variable LINEAR_SECRET is not set"):
        workspace.connections["linear-acme"].auth["client_credentials"]["client_secret"].reveal("linear-acme")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{status: {not: [Done, Closed]}}", Not(inner=Test(field="status", op="in", value=("Done", "Closed")))),
        ("{title: {glob: 'pay*', not: {matches: x}}}", None),
        ("{created_at: {gte: 2026-10-01}}", Test(field="created_at", op="gte", value=date(2026, 10, 1))),
        (
            "{updated_at: {lt: 2026-10-01T10:00:00+02:00}}",
            Test(field="updated_at", op="lt", value=datetime(2026, 10, 1, 8, tzinfo=UTC)),
        ),
        ("{estimate: {gt: 3}}", Test(field="estimate", op="gt", value=3.0)),
        ("{fields.cost: {lte: 2.5}}", Test(field="fields.cost", op="lte", value=2.5)),
        ("{archived: true}", Test(field="archived", op="in", value=("true",))),
        ("{sprint: {exists: false}}", Test(field="sprint", op="exists", value=False)),
        ("{parent.labels: okr}", Test(field="parent.labels", op="in", value=("okr",))),
        ("{key: 012}", Test(field="key", op="in", value=("012",))),
        ("{jmespath: 'fields.x[0]'}", Test(field="raw", op="jmespath", value="fields.x[0]")),
        (
            "{any: [{type: Bug}, {not: {team: [A]}}]}",
            AnyOf(
                inner=(
                    Test(field="type", op="in", value=("Bug",)),
                    Not(inner=Test(field="team", op="in", value=("A",))),
                )
            ),
        ),
        (
            "{estimate: 3}",
            All(inner=(Test(field="estimate", op="gte", value=3.0), Test(field="estimate", op="lte", value=3.0))),
        ),
    ],
)
def test_matchers(read, text: str, expected: object) -> None:
    rule = f"dimensions: {{bet: {{}}}}\nmapping:\n  - {{name: r, when: {text}, set: {{bet: core}}}}\n"
    found, problems = read(rule)
    assert found is not None, problems
    if expected is None:
        expected = All(
            inner=(
                Test(field="title", op="glob", value="pay*"),
                Not(inner=Test(field="title", op="matches", value="x")),
            )
        )
    assert found.rules[0].when == expected


def test_words_stay_words(read) -> None:
    text = """\
dimensions: {region: {values: [NO, "off", 012, 1e3]}}
timeframes: {012: {start: 2026-01-01, end: 2026-01-02}}
objectives: [{id: 12, title: 12:30, timeframe: 012, owner: yes, dimensions: {region: NO}}]
"""
    found, problems = read(text)
    assert found is not None, problems
    assert found.dimensions["region"].values == ("NO", "off", "012", "1e3")
    assert list(found.timeframes) == ["012"]
    objective = found.objectives["12"]
    assert (objective.title, objective.owner, objective.timeframe) == ("12:30", "yes", "012")
    assert objective.dimensions == {"region": "NO"}


def test_included_files_are_joined_in_order(write) -> None:
    path = write(
        {
            "keyrail.yaml": "version: 1\nworkspace: acme\ninclude: [okrs/*.yaml, more.yaml]\nobjectives:\n"
            "  - {id: A, title: a}\n",
            "okrs/2.yaml": "objectives: [{id: C, title: c}]\n",
            "okrs/1.yaml": "include: ../okrs/*.yaml\nobjectives: [{id: B, title: b}]\ndimensions: {x: {}}\n",
            "more.yaml": "include: keyrail.yaml.bak\ndimensions: {y: {}}\npolicies: {size: points}\n",
            "keyrail.yaml.bak": "policies: {credit: half}\n",
        }
    )
    found = load(path, {})
    names = [str(Path(name).relative_to(path.parent)) for name in found.files]
    assert list(found.objectives) == ["A", "B", "C"]
    assert names == ["keyrail.yaml", "okrs/1.yaml", "okrs/2.yaml", "more.yaml", "keyrail.yaml.bak"]
    assert list(found.dimensions) == ["x", "y"]
    assert (found.policies.size, found.policies.credit.started) == ("points", 0.5)


def test_the_digest_covers_every_file(write) -> None:
    files = {"keyrail.yaml": "version: 1\nworkspace: acme\ninclude: a.yaml\n", "a.yaml": "dimensions: {x: {}}\n"}
    before = load(write(files), {}).digest
    assert load(write(files), {}).digest == before
    assert load(write(files | {"a.yaml": "dimensions: {x: {}}\n# a remark\n"}), {}).digest != before


def test_aliases_and_merge_keys(read) -> None:
    text = """\
objectives:
  - &first {id: A, title: a, owner: maria}
  - {<<: *first, id: B}
"""
    found, problems = read(text)
    assert found is not None, problems
    assert (found.objectives["B"].title, found.objectives["B"].owner) == ("a", "maria")


def test_a_large_file_loads_well_within_a_second(write) -> None:
    lines = ["version: 1", "workspace: acme", "objectives:"]
    for i in range(250):
        lines += [
            f"  - id: O{i}",
            "    title: Something wanted",
            "    key_results:",
            f"      - id: KR{i}",
            "        title: From 2 to 3",
            '        metric: {kind: number, start: 2, target: 3, unit: "%"}',
            "        weight: 2",
            "        commitment: committed",
        ]
    path = write({"keyrail.yaml": "\n".join(lines)})
    load(path, {})
    start = time.process_time()
    assert len(load(path, {}).key_results) == 250
    assert time.process_time() - start < 0.8
