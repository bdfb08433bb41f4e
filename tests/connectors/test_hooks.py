"""What webhooks are wanted for is what is read of them; what is never asked for is nobody's noise."""

import pytest

from connectors.github import hooks as github
from connectors.github.events import IGNORED as IGNORED_OF_GITHUB
from connectors.hooks import Hook, Place, Receiver
from connectors.jira import hooks as jira
from connectors.jira.webhook import IGNORED as IGNORED_OF_JIRA
from connectors.jira.webhook import SPRINT_EVENTS, VERSION_EVENTS
from connectors.linear import hooks as linear
from connectors.linear.webhook import IGNORED as IGNORED_OF_LINEAR
from connectors.registry import CONNECTORS
from domain.errors import RejectedError

JIRA = (*jira.EVENTS, *jira.LINKS, *jira.AROUND)


@pytest.mark.parametrize(
    ("wanted", "ignored"),
    [
        (JIRA, IGNORED_OF_JIRA),
        (github.TITLES, IGNORED_OF_GITHUB),
        (linear.EVENTS, IGNORED_OF_LINEAR),
    ],
)
def test_no_event_is_asked_for_that_changes_nothing_here(wanted, ignored):
    assert wanted
    assert set(wanted) & set(ignored) == set()


def test_every_event_of_jira_that_changes_something_is_asked_for():
    known = {"jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "issuelink_created", "issuelink_deleted"}
    assert set(JIRA) == known | SPRINT_EVENTS | VERSION_EVENTS


def test_every_connector_can_set_up_webhooks():
    assert all(one.hooks is not None for one in CONNECTORS.values())


def test_no_value_shows_a_secret():
    assert "s3cret" not in repr(Receiver(url="https://x.example", secret="s3cret"))
    assert "s3cret" not in repr(Hook(id="1", url="https://x.example", events=(), secret="s3cret"))


def test_events_that_somebody_added_stay():
    place = Place(name="acme/api", path="/", events=("issues", "milestone"))
    hook = Hook(id="1", url="", events=("push", "issues"))
    assert place.events_with(hook) == ["issues", "milestone", "push"]
    assert place.events_with(None) == ["issues", "milestone"]


def test_data_center_takes_its_secret_where_it_reads_it():
    place = Place(name="the server", path=jira.SERVER, events=jira.EVENTS)
    call = jira.write(place, None, Receiver(url="https://x.example", secret="s3cret"))
    assert call is not None
    assert isinstance(call.json, dict)
    assert call.json["configuration"] == {"SECRET": "s3cret", "EXCLUDE_BODY": "false"}
    assert "secret" not in call.json
    assert not call.idempotent


def test_a_dynamic_webhook_that_was_not_taken_is_refused_with_jiras_words():
    place = Place(name="the OAuth app", path=jira.DYNAMIC, events=jira.EVENTS)
    told = {"webhookRegistrationResult": [{"errors": ["The clause watchCount is unsupported"]}]}
    with pytest.raises(RejectedError, match="The clause watchCount is unsupported"):
        jira.written(place, told)
    assert jira.written(place, {"webhookRegistrationResult": [{"createdWebhookId": 1000}]}) == "1000"
