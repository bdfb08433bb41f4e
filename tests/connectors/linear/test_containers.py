"""Which initiatives a project is in, and what stands above them."""

import pytest

from connectors.linear.containers import initiatives_of, reached, teams_of


def link(initiative, archived=None):
    return {"id": f"link-{initiative}", "archivedAt": archived, "initiative": {"id": initiative}}


def test_links_in_the_archive_do_not_count():
    project = {"initiativeToProjects": {"nodes": [link("a"), link("b", "2026-11-01T00:00:00Z"), link("c")]}}
    assert initiatives_of(project) == ["a", "c"]


@pytest.mark.parametrize(
    "project", [{}, {"initiativeToProjects": None}, {"initiativeToProjects": {"nodes": [None, {}]}}]
)
def test_a_project_without_links_is_in_no_initiative(project):
    assert initiatives_of(project) == []


def test_what_stands_above_is_reached_and_a_circle_ends():
    above = {"low": "middle", "middle": "top", "top": "low", "other": "top", "lone": None}
    initiatives = [{"id": id, "parentInitiative": parent and {"id": parent}} for id, parent in above.items()]
    assert reached({"low"}, initiatives) == {"low", "middle", "top"}
    assert reached({"lone", "hidden"}, initiatives) == {"lone", "hidden"}
    assert reached(set(), initiatives) == set()


def test_teams_of_a_project():
    assert teams_of({"teams": {"nodes": [{"id": "a", "key": "ENG"}, None]}}) == [{"id": "a", "key": "ENG"}]
    assert teams_of({}) == []
