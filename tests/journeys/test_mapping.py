"""An edit of the workspace file is answered from the store: no tracker is asked again."""

import pytest

KEYS = "keys: [MER-1, MER-2, MER-3, MER-4, MER-5]"


def sizes(company):
    return {row["id"]: row["size_total"] for row in company.json("show")["initiatives"]}


def test_an_epic_is_moved_to_another_initiative(company):
    before = sizes(company)
    company.edit(KEYS, KEYS.replace("MER-1, ", ""))
    company.edit(
        "    planned_weeks: 12\n", "    planned_weeks: 12\n    work: [{connection: jira-demo, keys: [MER-1]}]\n"
    )
    after = sizes(company)
    children = len(company.site.children(company.site.find("MER-1")))
    assert after == before | {"I6": before["I6"] - children, "I8": before["I8"] + children}
    assert [link["initiative"] for link in company.items()["MER-1"]["links"]] == ["I8"]
    assert company.asked() == []


def test_a_new_rule_links_what_it_matches(company):
    company.edit(
        "  - name: documents-of-the-identity-team\n",
        "  - name: upkeep\n"
        "    when: {project: CORE, level: epic, fields.team: Platform}\n"
        "    initiative: I5\n"
        "  - name: documents-of-the-identity-team\n",
    )
    doc = company.json("show")
    assert doc["unlinked"]["epics"] == 0
    assert next(row["size_total"] for row in doc["initiatives"] if row["id"] == "I5") > 36
    rules = {one["rule"] for one in company.json("explain", "I5")["inputs"]}
    assert rules == {"rule:label-names-the-initiative", "rule:upkeep"}
    assert company.asked() == []


def test_another_share_moves_the_key_result_alone(company):
    before = {row["id"]: row["progress"] for row in company.json("show")["key_results"]}
    company.edit("contributes: [{to: KR7, share: 0.5, benefit: 15}]", "contributes: [{to: KR7, benefit: 15}]")
    doc = company.json("show")
    after = {row["id"]: row["progress"] for row in doc["key_results"]}
    assert {id_ for id_ in after if after[id_] != before[id_]} == {"KR7"}
    assert {"id": "I8", "share": 1.0} in next(r for r in doc["key_results"] if r["id"] == "KR7")["initiatives"]


@pytest.mark.parametrize(
    ("before", "after", "progress"),
    [("size: count", "size: points", None), ("canceled", None, 16 / 30), ("credit: binary", "credit: half", None)],
    ids=["points", "canceled as done", "half"],
)
def test_another_policy_is_another_number_and_explain_agrees(company, before, after, progress):
    shown = next(row["progress"] for row in company.json("show")["initiatives"] if row["id"] == "I8")
    if after is None:
        company.edit("  size: count\n", "  size: count\n  canceled: as_done\n")
    else:
        company.edit(before, after)
    changed = next(row["progress"] for row in company.json("show")["initiatives"] if row["id"] == "I8")
    assert changed != shown
    assert progress is None or changed == pytest.approx(progress)
    doc = company.json("explain", "I8")
    assert doc["progress"] == changed
    assert sum(one["effect"] for one in doc["inputs"]) == pytest.approx(changed)
    assert company.asked() == []


def test_another_word_for_a_status_is_another_category_of_the_past_too(company):
    in_review = [item["key"] for item in company.items().values() if item["status"] == "In Review"]
    done = next(row["counts"]["done"] for row in company.json("show")["initiatives"] if row["id"] == "I1")
    issue = company.site.find(next(one["key"] for one in company.json("explain", "I1")["inputs"] if not one["credit"]))
    company.site.change(issue, status="In Review")
    company.run("sync", "--no-publish")
    company.forget()
    company.edit('statuses: {"In Review": review}', 'statuses: {"In Review": done}')
    items = company.items()
    assert {items[key]["category"] for key in [*in_review, issue.key]} == {"done"}
    assert next(r["counts"]["done"] for r in company.json("show")["initiatives"] if r["id"] == "I1") == done + 1
    assert company.asked() == []


def test_an_initiative_that_leaves_the_file_is_listed_with_what_still_names_it(company):
    text = company.file.read_text()
    start, end = text.index("  - id: I8\n"), text.index("\nmapping:")
    company.file.write_text(text[:start] + text[end:])
    doc = company.json("show")
    assert "I8" not in {row["id"] for row in doc["initiatives"]}
    found = company.json("coverage")
    assert [one["id"] for one in found["orphaned"]] == ["I8"]
    assert {(one["key"], one["initiative"]) for one in found["dangling"]} == {
        (f"MER-{number}", "I8") for number in (10, 11, 12)
    }


def test_a_broken_edit_answers_nothing_and_spoils_nothing(company):
    good = company.file.read_text()
    before = sizes(company)
    company.file.write_text(good.replace("share: 0.5", "share: 5"))
    assert "share" in company.run("show", code=2).words
    company.file.write_text(good)
    assert sizes(company) == before


def test_rules_of_today_are_applied_to_payloads_of_yesterday(company):
    before = company.run("export", "all").out
    doc = company.json("replay")
    assert (doc["items"] >= 470, doc["parked"]) == (True, 0)
    assert company.run("export", "all").out == before
    assert company.asked() == []
