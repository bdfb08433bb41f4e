"""The workspace file of the benchmark: 20 initiatives, 10 key results, rules of every common kind.

Text only; nothing is measured here.
"""

from __future__ import annotations

from bench.payloads import INITIATIVES, PROJECTS, TEAMS

KEY_RESULTS = 10
CONNECTION = "jira-bench"
TOKEN_VARIABLE = "BENCH_JIRA_TOKEN"


def workspace_text(url: str) -> str:
    """Return `keyrail.yaml` for the benchmark's server at `url`."""
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
  {CONNECTION}:
    type: jira
    url: {url}
    auth: {{email: bench@example.com, token: "${{env:{TOKEN_VARIABLE}}}"}}
    deployment: cloud
    scope: {{projects: [{", ".join(PROJECTS)}]}}
    estimate: Story point estimate
    fields: {{team: Team}}
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
    initiative: "{{id}}"
  - name: team-of-an-epic
    when: {{level: epic, project: [BEN, OPS], fields.team: [Payments, Web]}}
    initiative: I1
  - name: title-of-an-epic
    when: {{level: epic, title: {{glob: "Epic number*7 *"}}}}
    initiative: I2
  - name: bugs
    when: {{type: Bug, project: WEB, labels: [urgent]}}
    initiative: I3
"""
