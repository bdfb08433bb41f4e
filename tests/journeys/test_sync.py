"""What changes at the tracker reaches the store: once, cheaply, and whatever the tracker's index says."""

from datetime import UTC, datetime, timedelta

import pytest

from app.demo.site import Status


def links_of(item):
    return {link["initiative"] for link in item["links"]}


def initiative(company, id_):
    return next(row for row in company.json("show")["initiatives"] if row["id"] == id_)


def read(company, *more):
    """Sync without publishing and return the connection's row."""
    (row,) = company.json("sync", "--no-publish", *more)["connections"]
    assert row["error"] is None
    return row


def test_an_idle_sync_takes_at_most_four_requests(company):
    read(company)
    assert len(company.asked()) <= 4
    company.forget()
    row = read(company)
    assert row["requests"] == len(company.asked()) <= 4
    assert (row["read"], row["history"]) == (0, 0)


def test_a_sync_of_many_changes_takes_few_requests_beside_its_pages(company):
    read(company)
    company.forget()
    stories = [issue for issue in company.site.issues.values() if issue.type == "Story" and issue.status == "To Do"]
    others = [issue for issue in company.site.issues.values() if issue.type == "Task"]
    changed = (stories + others)[:150]
    assert len(changed) == 150
    for issue in changed:
        company.site.change(issue, points=13)
    row = read(company)
    assert row["read"] == 150
    pages = 2
    assert len(company.asked()) <= pages + 6
    assert {item["estimate"] for key, item in company.items().items() if key in {i.key for i in changed}} == {13}


def test_a_change_that_is_read_again_changes_nothing(company):
    company.site.change(company.site.find("PAY-50"), points=21)
    assert read(company)["history"] == 1
    after = company.run("export", "all").out
    # The index may lag, so the last minutes are asked for again.
    assert read(company)["history"] == 0
    assert company.run("export", "all").out == after
    assert company.items()["PAY-50"]["estimate"] == 21


def test_done_work_moves_the_numbers_of_everything_above(company):
    before = company.json("show")
    open_items = [one for one in company.json("explain", "I1")["inputs"] if one["category"] == "todo"]
    for one in open_items[:7]:
        company.site.change(company.site.find(one["key"]), status="Done")
    read(company)
    after = company.json("show")

    def progress(doc, kind, id_):
        return next(row["progress"] for row in doc[kind] if row["id"] == id_)

    assert progress(after, "initiatives", "I1") == pytest.approx(58 / 70)
    for kind, id_ in (("key_results", "KR2"), ("objectives", "O1")):
        assert progress(after, kind, id_) > progress(before, kind, id_)
    assert progress(after, "initiatives", "I3") == progress(before, "initiatives", "I3")
    refreshed = company.run("export", "all").out
    company.run("rebuild")
    assert company.run("export", "all").out == refreshed


def test_a_new_issue_is_linked_as_its_epic_is(company):
    epic = company.site.find("PAY-1")
    made = company.site.create("PAY", "Story", "One more thing", parent=epic, points=3)
    assert read(company)["read"] == 1
    item = company.items()[made.key]
    assert (item["parent_key"], links_of(item)) == ("PAY-1", {"I1"})
    assert item["links"][0]["inherited_from"] == "PAY-1"
    assert initiative(company, "I1")["size_total"] == 71


def test_a_changed_parent_moves_an_item_to_the_other_initiative(company):
    one = company.json("explain", "I1")["inputs"][0]
    wallet = company.site.find("PAY-7")
    company.site.change(company.site.find(one["key"]), parent=wallet)
    read(company)
    item = company.items()[one["key"]]
    assert (item["parent_key"], links_of(item)) == ("PAY-7", {"I2"})
    assert (initiative(company, "I1")["size_total"], initiative(company, "I2")["size_total"]) == (69, 51)


def test_a_parent_that_moves_takes_its_children_along(company):
    epic = company.site.find("PAY-1")
    below = len(company.site.children(epic))
    company.site.change(epic, labels=["okr/I2"])
    read(company)
    assert links_of(company.items()["PAY-1"]) == {"I2"}
    assert initiative(company, "I1")["size_total"] == 70 - below
    assert initiative(company, "I2")["size_total"] == 50 + below


def test_a_move_to_another_project_keeps_the_item_and_its_explicit_link(company):
    epic = company.site.find("MER-1")
    number = str(epic.id)
    company.site.move(epic, "CORE")
    read(company)
    items = company.items()
    assert "MER-1" not in items
    moved = items[epic.key]
    assert (moved["id"], moved["project"], links_of(moved)) == (number, "CORE", {"I6"})
    assert initiative(company, "I6")["size_total"] == 50
    assert company.json("explain", epic.key)["id"] == number


def test_an_item_that_moved_is_explained_by_the_name_that_it_had(company):
    issue = company.site.find("MER-1")
    company.site.move(issue, "CORE")
    read(company)
    told = company.json("explain", issue.key)
    assert (told["key"], told["former_key"]) == (issue.key, None)
    for asked in ("MER-1", "mer-1", "jira-demo:MER-1"):
        doc = company.json("explain", asked)
        assert doc.pop("former_key") == asked.removeprefix("jira-demo:")
        assert doc == {name: value for name, value in told.items() if name != "former_key"}
    assert company.json("explain", issue.key.lower())["former_key"] is None
    page = company.run("explain", "MER-1").text
    assert page.startswith(f"{issue.key}  ")
    assert f"\nMER-1 is called {issue.key} now.\n" in page


def test_a_name_that_two_items_had_is_none(company):
    """A tracker that gives a freed key away, as an import does: the older one moved on with the name in its past."""
    first, second = (company.site.find(key) for key in ("MER-1", "MER-2"))
    company.site.move(first, "CORE")
    read(company)
    second.key = "MER-1"
    company.site.change(second, summary="The one that is called MER-1 now")
    read(company)
    # Who has a name goes before those who had it.
    assert company.json("explain", "MER-1")["id"] == str(second.id)
    company.site.move(second, "CORE")
    read(company)
    words = company.run("explain", "MER-1", code=2).words
    assert f"'MER-1' names 2 items: jira-demo:{first.key}, jira-demo:{second.key}. Say which" in words


def test_a_deleted_issue_is_found_by_the_census_and_leaves_the_numbers(company):
    one = next(one for one in company.json("explain", "I1")["inputs"] if one["category"] == "todo")
    company.site.delete(company.site.find(one["key"]))
    assert read(company)["read"] == 0
    assert initiative(company, "I1")["size_total"] == 70
    (found,) = company.json("census")["connections"]
    assert (found["items"], found["listed"], found["missing"], found["deleted"]) == (470, 469, 0, 1)
    assert [gone["key"] for gone in found["gone"]["deleted"]] == [one["key"]]
    assert initiative(company, "I1")["size_total"] == 70
    (found,) = company.json("census", "--repair")["connections"]
    assert (found["deleted"], found["repaired"]) == (1, 1)
    assert company.items()[one["key"]]["deleted"] is True
    assert initiative(company, "I1")["size_total"] == 69
    (found,) = company.json("census")["connections"]
    assert (found["items"], found["listed"], found["deleted"]) == (469, 469, 0)


def test_an_issue_that_no_listing_told_of_is_read_by_the_census(company):
    epic = company.site.find("PAY-1")
    long_ago = datetime.now(UTC) - timedelta(days=30)
    made = company.site.create("PAY", "Story", "Came in by an import", parent=epic, at=long_ago)
    assert read(company)["read"] == 0
    (found,) = company.json("census")["connections"]
    assert (found["missing"], found["missing_ids"]) == (1, [str(made.id)])
    (found,) = company.json("census", "--repair")["connections"]
    assert found["repaired"] == 1
    assert links_of(company.items()[made.key]) == {"I1"}
    assert initiative(company, "I1")["size_total"] == 71


def test_an_issue_that_comes_back_counts_again(company):
    issue = company.site.find(company.json("explain", "I1")["inputs"][0]["key"])
    issue.secured = True
    company.json("census", "--repair")
    assert company.items()[issue.key]["deleted"] is True
    assert initiative(company, "I1")["size_total"] == 69
    issue.secured = False
    company.json("census", "--repair")
    assert company.items()[issue.key]["deleted"] is False
    assert initiative(company, "I1")["size_total"] == 70


def test_the_children_of_a_deleted_epic_count_for_nothing_until_they_are_linked_again(company):
    epic = company.site.find("PAY-1")
    below = company.site.children(epic)
    company.site.delete(epic)
    company.json("census", "--repair")
    assert initiative(company, "I1")["size_total"] == 70 - len(below)
    assert company.json("show")["unlinked"]["items"] >= 50 + len(below)
    repaired = company.run("export", "all").out
    company.run("rebuild")
    assert company.run("export", "all").out == repaired
    company.site.change(below[0], parent=company.site.find("PAY-2"))
    read(company)
    assert initiative(company, "I1")["size_total"] == 71 - len(below)


def test_a_move_out_of_scope_is_found_by_the_census(company):
    company.site.add_project("LAB", "Laboratory")
    issue = company.site.find(company.json("explain", "I1")["inputs"][0]["key"])
    old = issue.key
    company.site.move(issue, "LAB")
    assert read(company)["read"] == 0
    (found,) = company.json("census", "--repair")["connections"]
    assert [gone["key"] for gone in found["gone"]["moved"]] == [old]
    assert f"now {issue.key}" in found["gone"]["moved"][0]["detail"]
    item = company.items()[issue.key]
    assert (item["id"], item["project"]) == (str(issue.id), "LAB")


def test_an_issue_that_the_index_shows_late_is_still_picked_up(company):
    start = datetime.now(UTC)
    at = [start]
    company.site.clock = lambda: at[0]
    company.site.faults.index_lag = 8 * 60
    late = company.site.create("PAY", "Story", "Shown late", parent=company.site.find("PAY-1"))
    company.site.change(company.site.find("PAY-60"), points=34)
    for minutes in (1, 5):
        at[0] = start + timedelta(minutes=minutes)
        read(company)
        assert late.key not in company.items()
    at[0] = start + timedelta(minutes=9)
    assert read(company)["read"] == 2
    items = company.items()
    assert links_of(items[late.key]) == {"I1"}
    assert items["PAY-60"]["estimate"] == 34


def test_where_milliseconds_are_refused_dates_are_asked_for(company):
    company.site.faults.refuse_epoch_ms = True
    company.site.change(company.site.find("PAY-60"), points=34)
    read(company)
    assert company.items()["PAY-60"]["estimate"] == 34
    company.forget()
    since = datetime.now(UTC) - timedelta(days=1, minutes=11)
    assert read(company)["read"] <= sum(one.updated > since for one in company.site.issues.values()) < 100
    assert len(company.asked()) <= 4
    assert all(one.status == 200 for one in company.asked())


def test_there_and_back_again_is_seen_each_time(company):
    issue = company.site.find(next(k for k, i in company.items().items() if i["status"] == "To Do" and i["parent_id"]))
    at = datetime.now(UTC)
    seen = []
    for status in ("In Progress", "To Do", "In Progress"):
        # All within one `updated`, as a tracker that counts in seconds would tell it.
        company.site.change(issue, status=status, at=at)
        read(company)
        seen.append(company.items()[issue.key]["status"])
    assert seen == ["In Progress", "To Do", "In Progress"]


def test_a_project_that_is_lost_from_sight_is_inaccessible_and_counts_for_its_grace(company):
    company.site.project("MER").hidden = True
    found = company.run("census", "--repair", "--json").doc["connections"][0]
    assert (found["deleted"], found["moved"]) == (0, 0)
    hidden = {key for key, one in company.items().items() if one["inaccessible"]}
    assert found["inaccessible"] == len(hidden) > 50
    assert all(key.startswith("MER-") for key in hidden)
    assert initiative(company, "I6")["size_total"] == 50
    warned = [one["message"] for one in company.run("check", "--json").doc["findings"]]
    assert any("'MER' is no longer visible" in words for words in warned)
    next(project for project in company.site.projects.values() if project.key == "MER").hidden = False
    company.site.change(company.site.find("MER-20"), points=55)
    company.run("backfill")
    assert company.items()["MER-20"]["estimate"] == 55
    assert not any(one["inaccessible"] for one in company.items().values())


@pytest.mark.parametrize("command", [("census",), ("census", "--repair"), ("backfill", "--no-history")])
def test_what_is_out_of_sight_with_its_project_is_asked_for_once(company, command):
    def asked(*arguments):
        company.forget()
        row = company.json(*arguments)["connections"][0]
        paths = [one.path.rpartition("/issue/")[2] for one in company.asked() if "/issue/" in one.path]
        return row, [path for path in paths if path.isdigit()]

    company.site.project("MER").hidden = True
    one = next(issue for issue in company.site.issues.values() if issue.key == "MER-20")
    row, ids = asked("census", "--repair")
    lost, hidden = row["inaccessible"], company.items()
    assert len(ids) == lost > 50
    for _ in range(2):
        row, ids = asked(*command)
        assert (row["inaccessible"], ids) == (lost, [])
        assert company.items() == hidden
    # The project comes back without one of its issues: that one is asked for.
    next(project for project in company.site.projects.values() if project.key == "MER").hidden = False
    one.secured = True
    row, ids = asked(*command)
    assert (row["inaccessible"], row["deleted"], ids) == (0, 1, [str(one.id)])


def test_a_pause_that_the_tracker_asks_for_slows_and_never_fails(company):
    for path in ("/search/jql", "/changelog/bulkfetch"):
        company.site.faults.add("rate_limit", path=path, retry_after=0)
    company.site.faults.add("unavailable", path="/myself")
    company.site.change(company.site.find("PAY-60"), points=34)
    assert read(company)["read"] == 1
    assert sorted(one.status for one in company.asked() if one.status != 200) == [429, 429, 502]
    assert company.items()["PAY-60"]["estimate"] == 34


def test_a_status_that_is_new_keeps_its_own_word(company):
    company.site.statuses["Waiting"] = Status(id="77777", name="Waiting", category="indeterminate")
    company.site.change(company.site.find("PAY-60"), status="Waiting")
    read(company)
    item = company.items()["PAY-60"]
    assert (item["status"], item["category"]) == ("Waiting", "in_progress")
