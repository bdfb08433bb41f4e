"""A run that is stopped in the middle loses nothing and repeats little; two at once do not meet."""

import signal

import pytest

BULK = "/issue/bulkfetch"
FACTS = ("items", "epics", "history", "links", "initiatives")


def pull_stopped(company, path, times, number):
    """Start a backfill and send it a signal when `path` was answered so often; return how it ended."""
    running = None
    company.stop_after(path, times, number, lambda: running)
    company.tracker.one_by_one = path
    running = company.start("backfill")
    ended = running.wait()
    company.face.observers.clear()
    company.tracker.one_by_one = None
    return ended


@pytest.mark.parametrize(
    ("path", "times"), [(BULK, 3), (BULK, 5), ("/changelog/bulkfetch", 1)], ids=["third page", "last page", "history"]
)
def test_a_killed_backfill_goes_on_where_it_stopped(undisturbed, empty, path, times):
    ended = pull_stopped(empty, path, times, signal.SIGKILL)
    assert ended.code == -signal.SIGKILL
    (row,) = empty.json("backfill")["connections"]
    assert (row["items"], row["error"]) == (470, None)
    read = empty.fetched()
    assert len(read) == 470
    assert read.total() < 2 * 470
    exported = [line for line in empty.run("export", "all").lines if line["kind"] in FACTS]
    assert exported == [line for line in undisturbed if line["kind"] in FACTS]


def test_what_was_stored_before_the_kill_is_not_asked_for_again(empty):
    pull_stopped(empty, "/changelog/bulkfetch", 1, signal.SIGKILL)
    assert empty.fetched().total() == 470
    empty.forget()
    empty.run("backfill")
    assert empty.fetched().total() == 0


def test_an_interrupted_backfill_says_how_to_go_on(empty):
    ended = pull_stopped(empty, BULK, 3, signal.SIGINT)
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert ended.words.endswith("Interrupted. What was done so far is kept: run the same command again to go on.")
    (row,) = empty.json("backfill")["connections"]
    assert (row["items"], row["error"]) == (470, None)
    assert empty.fetched().total() < 2 * 470


def test_a_restart_reads_all_again(empty):
    pull_stopped(empty, "/changelog/bulkfetch", 1, signal.SIGKILL)
    empty.forget()
    empty.run("backfill", "--restart")
    assert empty.fetched().total() == 470


def test_after_a_kill_the_next_sync_goes_on_too(empty):
    pull_stopped(empty, BULK, 3, signal.SIGKILL)
    (row,) = empty.json("sync", "--no-publish")["connections"]
    assert (row["items"], row["error"]) == (470, None)
    assert next(row["size_total"] for row in empty.json("show")["initiatives"] if row["id"] == "I1") == 70


def test_a_sync_that_is_killed_before_the_numbers_is_made_good_by_the_next(company):
    running = None
    one = next(one for one in company.json("explain", "I1")["inputs"] if one["category"] == "todo")
    company.site.change(company.site.find(one["key"]), status="Done")
    company.stop_after("/changelog/bulkfetch", 1, signal.SIGKILL, lambda: running)
    company.site.faults.latency = 0.03
    running = company.start("sync", "--no-publish")
    assert running.wait().code == -signal.SIGKILL
    company.face.observers.clear()
    company.run("sync", "--no-publish")
    assert next(row for row in company.json("show")["initiatives"] if row["id"] == "I1")["counts"]["done"] == 52
    after = company.run("export", "all").out
    company.run("rebuild")
    assert company.run("export", "all").out == after


def test_of_two_backfills_at_once_the_second_says_who_is_first(empty):
    empty.site.faults.latency = 0.1
    first = empty.start("backfill")
    empty.wait_for(BULK)
    ended = empty.run("backfill", code=1)
    assert f"jira-demo: another pull is running (process {first.pid} on " in ended.words
    assert "Wait for it to end" in ended.words
    assert first.wait().code == 0
    assert empty.fetched().total() == 470
    assert empty.json("backfill")["connections"][0]["error"] is None


def test_reading_goes_on_while_a_backfill_writes(company):
    company.site.faults.latency = 0.1
    running = company.start("backfill")
    company.wait_for(BULK)
    assert len(company.json("show")["objectives"]) == 3
    assert running.wait().code == 0
