"""What `parse` prints of a payload: changes, and the past that a page of history tells."""

from pathlib import Path

from sync.parse import read_payload, reader

SAMPLES = Path(__file__).parents[1] / "connectors" / "linear" / "samples"


def test_a_page_of_history_is_told_change_by_change():
    body = (SAMPLES / "page__history.json").read_bytes()
    told = list(read_payload(reader("linear", None), body, None))
    assert {one["change"] for one in told} == {"transition"}
    assert {"status", "estimate"} <= {one["field"] for one in told}
    assert all(set(one) == {"change", "id", "at", "field", "before", "after"} for one in told)


def test_a_payload_without_anything_says_so():
    (told,) = read_payload(reader("linear", None), b'{"type": "Comment", "action": "create", "data": {}}', None)
    assert told["change"] == "ignored"
