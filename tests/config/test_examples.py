"""The three workspaces under examples/ load."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.workspace import check

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", ["one-product", "portfolio", "demo"])
def test_it_loads(name: str) -> None:
    workspace, problems = check(EXAMPLES / name / "keyrail.yaml", {})
    assert workspace is not None, problems
    unexpected = [
        each for each in problems if "is not set" not in each.message and "cannot be read" not in each.message
    ]
    assert [each.key for each in unexpected if not each.key.endswith(".continues")] == []


def test_one_product_has_one_connection() -> None:
    workspace, _ = check(EXAMPLES / "one-product" / "keyrail.yaml", {})
    assert workspace is not None
    assert [each.type for each in workspace.connections.values()] == ["jira"]


def test_the_portfolio_spans_three_trackers_and_files() -> None:
    workspace, _ = check(EXAMPLES / "portfolio" / "keyrail.yaml", {})
    assert workspace is not None
    assert [each.type for each in workspace.connections.values()] == ["jira", "github", "linear"]
    assert [Path(name).name for name in workspace.files] == ["keyrail.yaml", "checkout.yaml", "platform.yaml"]
    assert workspace.initiatives["I2"].dimensions["region"] == ["NO", "SE", "DK"]
    assert workspace.objectives["O1"].parent == "O0"
