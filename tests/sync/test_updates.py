"""What an update says of what changed: each thing once, in the right number, and nothing that did not."""

from dataclasses import replace

import pytest

from domain.facts import StatusUpdate
from domain.okr import Health
from domain.workspace import PublishRow, PublishWhen
from sync.updates import still, with_changes, with_text

ROW = PublishRow(id="badge", outlet="jira.remote_link")
UPDATE = StatusUpdate(
    workspace="acme", kind="initiative", id="I1", title="One click", progress=0.5, state="ok", health=Health.AT_RISK
)
KEPT = {"progress": 0.4, "health": "at_risk", "items": 10, "done": 4, "p85": "2026-12-12", "changed": ["Said last."]}
NOW = {**KEPT, "progress": 0.5}


@pytest.mark.parametrize(
    ("kept", "now", "told"),
    [
        ({}, NOW, ()),
        (KEPT, {**NOW, "progress": 0.4, "p85": "2026-12-20"}, ("Said last.",)),
        (KEPT, NOW, ("Progress moved from 40 % to 50 %.",)),
        ({**KEPT, "progress": 0.499}, NOW, ("Progress moved by less than a point, at 50 %.",)),
        ({**KEPT, "progress": None}, NOW, ("Progress moved from unknown to 50 %.",)),
        ({**KEPT, "health": "on_track"}, {**NOW, "progress": 0.4}, ("Health went from on track to at risk.",)),
        (
            {**KEPT, "progress": 0.5, "health": "on_track"},
            {**NOW, "done": 5, "items": 12},
            ("Health went from on track to at risk.", "1 item became done.", "2 items came into scope."),
        ),
        (
            KEPT,
            {**NOW, "done": 2, "items": 9, "p85": "2026-12-20"},
            (
                "Progress moved from 40 % to 50 %.",
                "2 items became open again.",
                "1 item left the scope.",
                "It is 85 % likely done by 20 Dec 2026, before that by 12 Dec 2026.",
            ),
        ),
    ],
)
def test_what_changed(kept, now, told):
    update = replace(UPDATE, progress=now["progress"])
    assert with_changes(update, ROW, now, kept).changed == told


def test_a_health_that_the_row_does_not_ask_for_is_no_change():
    row = replace(ROW, when=PublishWhen(health=False))
    kept = {**KEPT, "health": "on_track"}
    assert with_changes(UPDATE, row, {**NOW, "progress": 0.4}, kept).changed == ("Said last.",)
    assert still(UPDATE, row) == still(replace(UPDATE, health=Health.ON_TRACK), row)
    assert still(UPDATE, ROW) != still(replace(UPDATE, health=Health.ON_TRACK), ROW)


def test_a_template_names_its_format_and_fills_in_what_is_known():
    row = replace(
        ROW, template="{# markdown #}\n**{{ title }}** {{ progress }}{% if coverage %} of {{ coverage }}{% endif %}"
    )
    update = with_text(UPDATE, row)
    assert (update.text, update.markup) == ("**One click** 50", "markdown")
    assert with_text(UPDATE, ROW) == UPDATE
