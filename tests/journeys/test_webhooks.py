"""Webhooks as an operator has them: registered by a command, looked at, kept alive, removed; and what is in the way."""

import json
import re

import pytest

from app.demo.github import Site as GitHub
from app.demo.github import application as github
from app.demo.github_company import build as build_github
from app.demo.linear import application as linear
from app.demo.linear_company import build as build_linear
from app.demo.linear_model import Webhook
from app.demo.linear_site import Site as Linear

PUBLIC = {"KEYRAIL_PUBLIC_URL": "https://okr.example.com"}
URL = "https://okr.example.com/webhooks/jira-demo"
SECRET = "DEMO_JIRA_WEBHOOK_SECRET"


@pytest.fixture
def admin(company):
    """A company whose account administers its Jira, and which has a public address."""
    company.site.permissions.add("ADMINISTER")
    company.env |= PUBLIC
    return company


def rows(company, *arguments, **more):
    """Run a command about webhooks; return the rows of the one connection."""
    (one,) = company.json("webhooks", *arguments, **more)["connections"]
    return one["webhooks"]


def test_a_webhook_is_registered_listed_and_removed(admin):
    (row,) = rows(admin, "list")
    assert (row["state"], row["place"]) == ("missing", "the site")
    (row,) = rows(admin, "register")
    assert (row["state"], row["action"], row["url"]) == ("ok", "created", URL)
    (hook,) = admin.site.webhooks.values()
    assert (hook.url, hook.secret, hook.enabled) == (URL, admin.env[SECRET], True)
    assert hook.name == "Keyrail demo: jira-demo"
    (row,) = rows(admin, "register")
    assert row["action"] == "unchanged"
    shown = admin.run("webhooks", "list").text
    assert "1 webhook as wanted." in shown
    assert URL in shown
    (row,) = rows(admin, "remove")
    assert (row["action"], admin.site.webhooks) == ("removed", {})


def test_nothing_that_is_said_or_kept_shows_the_secret(admin):
    secret = "s3cr3t-of-this-very-test"
    said = []
    for action in ("register", "list", "refresh", "remove"):
        ended = admin.run("webhooks", action, env={SECRET: secret})
        said += [ended.text, ended.err]
    admin.site.permissions.discard("ADMINISTER")
    ended = admin.run("webhooks", "register", env={SECRET: secret}, code=1)
    said += [ended.text, ended.err]
    assert secret not in "".join(said)
    for file in admin.folder.rglob("*"):
        assert not file.is_file() or secret.encode() not in file.read_bytes(), file


def test_what_differs_is_shown_and_set_right(admin):
    rows(admin, "register")
    (hook,) = admin.site.webhooks.values()
    hook.enabled, hook.events = False, hook.events[1:]
    shown = " ".join(admin.run("webhooks", "list").text.split())
    assert "1 webhook of 1 not as wanted." in shown
    assert "does not tell of jira:issue_created" in shown
    assert "is switched off" in shown
    assert "keyrail webhooks register" in shown
    (row,) = rows(admin, "register")
    assert (row["state"], row["action"], hook.enabled) == ("ok", "updated", True)


def test_a_webhook_that_was_switched_off_is_switched_on_by_refresh(admin):
    rows(admin, "register")
    (hook,) = admin.site.webhooks.values()
    hook.enabled = False
    (row,) = rows(admin, "refresh")
    assert (row["state"], row["action"], hook.enabled) == ("ok", "enabled", True)


def test_a_changed_secret_is_seen_and_given_to_the_tracker(admin):
    rows(admin, "register")
    changed = {SECRET: "an0ther-secret"}
    (row,) = rows(admin, "list", env=changed)
    assert row["differs"] == [f"was made before environment variable {SECRET} was changed"]
    rows(admin, "register", env=changed)
    (hook,) = admin.site.webhooks.values()
    assert hook.secret == "an0ther-secret"
    (row,) = rows(admin, "list", env=changed)
    assert row["state"] == "ok"


def test_without_the_right_it_says_click_by_click_what_to_do(admin):
    admin.site.permissions.discard("ADMINISTER")
    ended = admin.run("webhooks", "register", code=1)
    told = " ".join(ended.text.split())
    assert "1 webhook of 1 could not be set up." in told
    assert "the account lacks the permission (403)" in told
    assert "cogwheel -> System -> Advanced -> WebHooks" in told
    assert f"URL: {URL}" in told
    assert f"Secret: the value of environment variable {SECRET}." in told
    assert "jira:issue_deleted" in told
    assert admin.env[SECRET] not in told
    steps = re.findall(r"^ +(\d+)\. ", ended.text, re.MULTILINE)
    assert steps == [str(number) for number in range(1, len(steps) + 1)]
    (row,) = rows(admin, "list", code=1)
    assert row["state"] == "by_hand"
    assert len(row["instructions"]) == len(steps)


def test_without_a_public_address_the_setting_is_named(admin):
    ended = admin.run("webhooks", "register", code=2, env={"KEYRAIL_PUBLIC_URL": None})
    assert "Set KEYRAIL_PUBLIC_URL" in ended.words
    assert admin.site.webhooks == {}
    ended = admin.run("webhooks", "register", code=2, env={"KEYRAIL_PUBLIC_URL": "http://okr.example.com"})
    assert "unencrypted" in ended.words
    admin.edit(
        '    webhook: {secret: "${env:DEMO_JIRA_WEBHOOK_SECRET}"}\n',
        '    webhook: {secret: "${env:DEMO_JIRA_WEBHOOK_SECRET}", url: "https://hooks.example.com/in"}\n',
    )
    (row,) = rows(admin, "register", env={"KEYRAIL_PUBLIC_URL": None})
    assert row["url"] == "https://hooks.example.com/in"


def test_a_wrong_token_is_a_matter_of_credentials(admin):
    ended = admin.run("webhooks", "register", code=3, env={"DEMO_JIRA_TOKEN": "wrong-token-value"})
    assert "Check environment variable DEMO_JIRA_TOKEN" in ended.words
    assert "wrong-token-value" not in ended.words + ended.text


def test_without_a_secret_nothing_is_asked_of_anybody(admin):
    ended = admin.run("webhooks", "register", code=2, env={SECRET: None})
    assert f"environment variable {SECRET} is not set" in ended.words
    admin.edit('    webhook: {secret: "${env:DEMO_JIRA_WEBHOOK_SECRET}"}\n', "")
    ended = admin.run("webhooks", "register", code=2)
    assert "No connection has a webhook secret" in ended.words
    ended = admin.run("webhooks", "register", "--connection", "jira-demo", code=2)
    assert "no webhook secret is set" in ended.words
    ended = admin.run("webhooks", "list", "--connection", "nobody", code=2)
    assert "There is no connection 'nobody'" in ended.words
    assert admin.site.webhooks == {}


def test_a_tracker_that_is_away_fails_and_stops_no_other(admin):
    """Two more trackers stand beside the first: one answers, the other does not exist."""
    site = Linear()
    build_linear(site, admin.today)
    admin.tracker.second = linear(site)
    admin.edit(
        "connections:\n",
        "connections:\n"
        f"  line: {{type: linear, url: '{admin.tracker.url}/second/graphql', auth: {{token: '${{env:LINE}}'}},"
        " scope: {teams: [MOB, DES]}, webhook: {secret: '${env:LINE_SECRET}'}}\n",
    )
    admin.site.permissions.discard("ADMINISTER")
    env = {"LINE": site.key, "LINE_SECRET": "line-s3cret"}
    doc = admin.json("webhooks", "register", code=1, env=env)
    states = {one["connection"]: [row["state"] for row in one["webhooks"]] for one in doc["connections"]}
    assert states == {"line": ["ok"], "jira-demo": ["by_hand"]}
    (made,) = site.all(Webhook)
    assert (made.secret, made.all_public_teams) == ("line-s3cret", True)
    ended = admin.run("webhooks", "list", "--json", code=3, env=env | {"LINE": "wrong"})
    errors = {one["connection"]: bool(one["error"]) for one in ended.doc["connections"]}
    assert errors == {"line": True, "jira-demo": False}


def test_github_gets_one_for_each_repository(admin):
    site = GitHub(url=f"{admin.tracker.url}/second")
    build_github(site, admin.today)
    for repository in site.repositories.values():
        repository.viewer_permission = "ADMIN"
    admin.tracker.second = github(site)
    names = sorted(f"{one.owner.login}/{one.name}" for one in site.repositories.values())
    admin.edit(
        "connections:\n",
        "connections:\n"
        f"  hub: {{type: github, url: '{admin.tracker.url}/second', auth: {{token: '${{env:HUB}}'}},"
        f" scope: {{repositories: {json.dumps(names)}}}, webhook: {{secret: '${{env:HUB_SECRET}}'}}}}\n",
    )
    env = {"HUB": site.token, "HUB_SECRET": "hub-s3cret"}
    made = rows(admin, "register", "--connection", "hub", env=env)
    assert [(row["place"], row["state"]) for row in made] == [(name, "ok") for name in names]
    assert {(hook.url, hook.content_type, hook.secret) for hook in site.hooks.values()} == {
        ("https://okr.example.com/webhooks/hub", "json", "hub-s3cret")
    }
    assert rows(admin, "remove", "--connection", "hub", env=env)
    assert site.hooks == {}
