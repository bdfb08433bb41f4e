"""Risk as named signals: the worked example, every limit from both sides, the worst child with what drives it."""

import pytest

from domain.okr import Health
from rollup.risk import Exposure, Signal, level_of, reliability, risk_of, signals

ON = Health.ON_TRACK


def told(**over):
    return {one.name: one.severity for one in signals(Exposure(**{"health": ON, **over}))}


def test_the_worked_example():
    found = signals(Exposure(health=Health.AT_RISK, q=0.62, scope_change=0.15))
    assert [(one.name, one.severity) for one in found] == [("due_date", "medium"), ("scope_creep", "medium")]
    assert found[0].value == pytest.approx(0.38)
    assert risk_of("KR1", found).level == "medium"


@pytest.mark.parametrize(
    ("seen", "name", "severity"),
    [
        ({"q": 0.85}, "due_date", None),
        ({"q": 0.849}, "due_date", "medium"),
        ({"q": 0.5}, "due_date", "medium"),
        ({"q": 0.49}, "due_date", "high"),
        ({"q": 0.9, "health": Health.OFF_TRACK}, "due_date", None),
        ({"health": Health.AT_RISK}, "due_date", "medium"),
        ({"health": Health.OFF_TRACK}, "due_date", "high"),
        ({"health": Health.MISSED}, "due_date", "high"),
        ({"health": Health.UNKNOWN}, "due_date", None),
        ({"scope_change": 0.10}, "scope_creep", None),
        ({"scope_change": 0.11}, "scope_creep", "medium"),
        ({"scope_change": 0.25}, "scope_creep", "medium"),
        ({"scope_change": 0.26}, "scope_creep", "high"),
        ({"blocked": 0.0}, "blocked", None),
        ({"blocked": 0.01}, "blocked", "medium"),
        ({"blocked": 0.30}, "blocked", "high"),
        ({"ageing": 1, "ageing_share": 0.30}, "ageing", "medium"),
        ({"ageing": 1, "ageing_share": 0.31}, "ageing", "high"),
        ({"ageing": 0, "ageing_share": 0.0}, "ageing", None),
        ({"reliability": 0.80}, "reliability", None),
        ({"reliability": 0.79}, "reliability", "medium"),
        ({"reliability": 0.60}, "reliability", "medium"),
        ({"reliability": 0.59}, "reliability", "high"),
        ({"divergence": True}, "divergence", "medium"),
        ({"stale": True}, "stale", "medium"),
        ({"coverage": 0.60}, "coverage", None),
        ({"coverage": 0.59}, "coverage", "medium"),
        ({"estimated_coverage": 0.50}, "estimated_coverage", None),
        ({"estimated_coverage": 0.49}, "estimated_coverage", "medium"),
    ],
)
def test_each_limit(seen, name, severity):
    assert told(**seen).get(name) == severity


def test_nothing_is_at_risk_that_is_set_aside():
    for health in (Health.PAUSED, Health.CANCELED, Health.ACHIEVED):
        assert told(health=health, q=0.1, scope_change=2.0, stale=True) == {}


def test_the_worst_comes_first_and_says_its_number():
    found = signals(Exposure(health=ON, scope_change=1.5, blocked=0.1, q=0.2))
    assert [one.severity for one in found] == ["high", "high", "medium"]
    assert [one.reason for one in found] == [
        "80 % likely to be late",
        "the scope grew by 150 %",
        "10 % of what remains is blocked",
    ]


def test_parents_take_the_worst_child_with_its_drivers():
    late = Signal(name="due_date", severity="high")
    creep = Signal(name="scope_creep", severity="medium")
    calm, grown, both = risk_of("A", ()), risk_of("B", (creep,)), risk_of("C", (late, creep))
    parent = risk_of("P", (creep,), (calm, grown, both))
    assert parent.level == "high"
    assert parent.drivers == (("P", creep), ("C", late), ("C", creep))
    assert risk_of("TOP", (), (calm, parent)).drivers == parent.drivers
    assert risk_of("CALM", (), (calm,)) == risk_of("CALM", ())
    assert calm.level == "low"


def test_reliability():
    assert reliability(17, 20) == 0.85
    assert reliability(0, 0) is None
    assert level_of(()) == "low"
