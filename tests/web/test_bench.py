"""The benchmark of the receiver runs to its end and counts right; how fast it is, is for `make bench`."""

import pytest

from bench.receiver import genuine, measured, webhooks


def test_what_is_sent_is_genuine_but_for_a_few_and_known_but_for_most():
    sent = webhooks(2000, 1)
    ids = {headers["x-github-delivery"] for headers, _ in sent}
    assert 1850 < len(ids) < 1950
    assert 20 < len(ids - genuine(2000, 1)) < 60


@pytest.mark.long
def test_nothing_is_lost_and_nothing_forged_is_kept(tmp_path):
    *_, wrong = measured(300, tmp_path)
    assert wrong.passed
