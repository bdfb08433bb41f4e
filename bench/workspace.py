"""The workspace file of the benchmark: one tracker, 20 initiatives, 10 key results, rules of every common kind.

Text only; nothing is measured here.
"""

from __future__ import annotations

from bench.github_issues import OWNER, REPOSITORIES
from bench.linear_issues import KEYS
from bench.payloads import INITIATIVES, PROJECTS, TEAMS

KEY_RESULTS = 10
TOKEN_VARIABLE = "BENCH_TOKEN"
TOKEN = "bench-token"

_CONNECTIONS = {
    "jira": f"""
    auth: {{email: bench@example.com, token: "${{env:{TOKEN_VARIABLE}}}"}}
    deployment: cloud
    scope: {{projects: [{", ".join(PROJECTS)}]}}
    estimate: Story point estimate
    fields: {{team: Team}}""",
    "github": f"""
    auth: {{token: "${{env:{TOKEN_VARIABLE}}}"}}
    scope: {{repositories: [{", ".join(f"{OWNER}/{name}" for name in REPOSITORIES)}], projects: [{OWNER}/1]}}
    estimate: {{issue_field: Effort}}
    status: {{project_field: Status}}
    budget: 1
    epics: {{types: [Epic], with_sub_issues: true}}""",
    "linear": f"""
    auth: {{token: "${{env:{TOKEN_VARIABLE}}}"}}
    scope: {{teams: [{", ".join(KEYS)}]}}""",
}
_RULES = {
    "jira": """
  - name: team-of-an-epic
    when: {level: epic, project: [BEN, OPS], fields.team: [Payments, Web]}
    initiative: I1
  - name: title-of-an-epic
    when: {level: epic, title: {glob: "Epic number*7 *"}}
    initiative: I2
  - name: bugs
    when: {type: Bug, project: WEB, labels: [urgent]}
    initiative: I3""",
    "github": """
  - name: repository-of-an-epic
    when: {level: epic, project: [bench/web, bench/api], labels: [platform]}
    initiative: I1
  - name: title-of-an-epic
    when: {level: epic, title: {glob: "Epic number*60 *"}}
    initiative: I2
  - name: tasks
    when: {type: Task, project: bench/app, labels: [urgent]}
    initiative: I3""",
    "linear": """
  - name: team-of-a-project
    when: {level: epic, project: [BEN, OPS], labels: [platform]}
    initiative: I1
  - name: title-of-a-project
    when: {level: epic, title: {glob: "Project number*0"}}
    initiative: I2
  - name: urgent-issues
    when: {level: issue, project: WEB, labels: [urgent]}
    initiative: I3""",
}


def connection_name(tracker: str) -> str:
    """Return what the connection of a tracker is called."""
    return f"{tracker}-bench"


def workspace_text(url: str, tracker: str = "jira") -> str:
    """Return `keyrail.yaml` for the benchmark's server of a tracker at `url`."""
    key_results = "".join(
        f"      - {{id: KR{n}, title: Key result {n}}}\n" if n % 2 else
        f"      - {{id: KR{n}, title: Key result {n}, metric: {{start: 0, target: 100}}}}\n"
        for n in range(1, KEY_RESULTS + 1)
    )  # fmt: skip
    initiatives = "".join(
        f"  - {{id: I{n}, title: Initiative {n}, team: {TEAMS[n % len(TEAMS)]}, start: 2026-01-01, due: 2026-12-20,\n"
        f"     contributes: [{{to: KR{(n - 1) % KEY_RESULTS + 1}}}, {{to: KR{n % KEY_RESULTS + 1}, share: 0.5}}]}}\n"
        for n in range(1, INITIATIVES + 1)
    )
    return f"""\
version: 1
workspace: bench
timezone: UTC
connections:
  {connection_name(tracker)}:
    type: {tracker}
    url: {url}{_CONNECTIONS[tracker]}
    statuses: {{"In Review": review}}
timeframes:
  "2026": {{start: 2026-01-01, end: 2026-12-31}}
objectives:
  - id: O1
    title: The benchmark's objective
    timeframe: "2026"
    key_results:
{key_results}initiatives:
{initiatives}mapping:
  - name: label-names-the-initiative
    when: {{labels: {{matches: "okr/(?P<id>I\\\\d+)"}}}}
    initiative: "{{id}}"{_RULES[tracker]}
"""
