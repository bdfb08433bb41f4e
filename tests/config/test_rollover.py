"""The next timeframe's open key results as YAML."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.rollover import rollover
from config.workspace import load
from domain.errors import UsageError
from domain.okr import Milestone

FILE = """\
version: 1
workspace: acme
include: next/*.yaml
connections:
  jira-main: {type: jira, url: https://a.example, auth: {pat: "${env:T}"}, scope: {projects: [PAY]}}
timeframes:
  2026-Q4: {start: 2026-10-01, end: 2026-12-31}
  2027-Q1: {start: 2027-01-01, end: 2027-03-31}
dimensions: {region: {}, share: {}}
objectives:
  - id: O1-2026-Q4
    title: "Checkout: nobody notices, 100 %"
    timeframe: 2026-Q4
    owner: maria@acme.com
    weight: 2
    dimensions: {region: NO, share: {EU: 0.7, US: 0.3}}
    policies: {size: {field: effort}, credit: {started: 0.5}, inaccessible_grace: 7d, forecast: {window: 60d}}
    key_results:
      - id: KR1
        title: From 2 to 3
        owner: "on"
        weight: 0.5
        commitment: aspirational
        metric: {start: 2, target: 3, unit: "%", direction: increase, check_in_every: 2w, targets: {2026-11-01: 2.5}}
        source:
          http: {url: https://m.example, jmespath: a.b, headers: {Authorization: "${env:M}", Accept: text/plain}}
      - {id: KR2, title: Done already, status: closed, closed_on: 2026-11-01, metric: {kind: binary}}
      - id: KR3
        title: Bugs
        status: paused
        metric: {kind: at_most, target: 3, partial: true}
        source:
          sum:
            type: [Bug, NO]
            not: {any: [{archived: true}, {title: {matches: "a\\\\d"}}]}
            created_at: {gte: 2026-10-01}
          field: estimate
      - id: KR4
        title: Steps
        metric: {kind: milestones, milestones: [{title: One, done: 2026-10-20}, {title: Two, weight: 2}]}
  - id: O2
    title: Gone
    timeframe: 2026-Q4
    status: canceled
    key_results: [{id: KR5, title: t, metric: {kind: binary}}]
  - id: O3
    title: Below
    timeframe: 2026-Q4
    parent: O1-2026-Q4
    key_results: [{id: KR6, title: By delivery}]
initiatives:
  - {id: I1, title: t, contributes: [KR6]}
  - {id: I2, title: t, status: canceled, contributes: [KR6]}
"""


@pytest.fixture
def path(write):
    return write({"keyrail.yaml": FILE})


def test_it_loads_beside_the_file_it_was_made_from(path) -> None:
    before = load(path, {})
    (path.parent / "next").mkdir()
    (path.parent / "next" / "2027.yaml").write_text(rollover(before, "2026-Q4", "2027-Q1"), encoding="utf-8")
    after = load(path, {})

    new = [each for each in after.key_results.values() if each.id not in before.key_results]
    assert [(each.id, each.continues, each.timeframe) for each in new] == [
        ("KR1-2027-Q1", "KR1", "2027-Q1"),
        ("KR3-2027-Q1", "KR3", "2027-Q1"),
        ("KR4-2027-Q1", "KR4", "2027-Q1"),
        ("KR6-2027-Q1", "KR6", "2027-Q1"),
    ]
    first, third, fourth = new[:3]
    old = before.key_results
    assert (first.owner, first.weight, first.commitment) == ("on", 0.5, "aspirational")
    assert first.metric == replace(old["KR1"].metric, start=None, targets=(), direction=None)
    assert first.source["http"]["headers"]["Authorization"].source == "env:M"
    assert (third.status, third.source, third.metric) == (old["KR3"].status, old["KR3"].source, old["KR3"].metric)
    assert fourth.metric is not None
    assert fourth.metric.milestones == (Milestone(title="Two", weight=2),)

    top, below = after.objectives["O1-2027-Q1"], after.objectives["O3-2027-Q1"]
    assert top == replace(before.objectives["O1-2026-Q4"], id="O1-2027-Q1", timeframe="2027-Q1")
    assert below.parent == "O1-2027-Q1"
    assert "O2-2027-Q1" not in after.objectives


def test_it_says_which_initiatives_served_a_key_result(path) -> None:
    text = rollover(load(path, {}), "2026-Q4", "2027-Q1")
    assert "# I1 served KR6; add KR6-2027-Q1 to its contributes if it goes on." in text
    assert "I2" not in text


def test_nothing_open(path) -> None:
    text = rollover(load(path, {}), "2027-Q1", "2026-Q4")
    assert text.splitlines()[-2:] == ["# None is open in 2027-Q1.", "objectives: []"]


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("2026-Q5", "2027-Q1", "There is no timeframe '2026-Q5' in the workspace file. Did you mean '2026-Q4'?"),
        ("2026-Q4", "next", "There is no timeframe 'next' in the workspace file. There are: 2026-Q4, 2027-Q1."),
        ("2026-Q4", "2026-Q4", "Both are 2026-Q4."),
    ],
)
def test_bad_usage(path, source: str, target: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        rollover(load(path, {}), source, target)
    assert message in str(raised.value)
