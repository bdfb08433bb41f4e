"""The shapes of the places that are only written to: Slack, outgoing webhooks, OKR tools.

What each needs is declared here; how it is written to is the business of its folder under `connectors`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from config.addresses import Address
from config.bodies import body_problem
from config.connections import url_problem
from config.metrics import Headers
from config.notes import Shape
from config.patterns import JMESPATH
from config.scalars import Choice, Flag, Number, SecretRef, Text
from config.shapes import Here, Key, ListOf, MapOf, Record, Then
from domain.okr import Health
from domain.workspace import PublishWhen

PRIVATE = Key(Flag(), "Allow an address that is not public, such as one in the company's own network.")
SCALE = Key(Number(above=0), "What 100 % is in the tool's own unit; default 100.")
TOKEN = Key(SecretRef(), "Its token, as a reference.", required=True)


def _address(words: str, *, required: bool = False) -> Key:
    return Key(Address(), words, required=required)


SUCCESS = Record(
    "success",
    {
        "status": Key(ListOf(Number(least=200, most=499, whole=True)), "Statuses that mean yes; default 200-299."),
        "jmespath": Key(JMESPATH, "Part of the JSON answer that must be true, or not empty."),
    },
)
WEBHOOK = Record(
    "webhook",
    {
        "url": _address("Where the update is posted.", required=True),
        "secret": Key(SecretRef(), "Signs each delivery (Standard Webhooks), as a reference."),
        "headers": Key(Headers(), "More request headers; secrets as references."),
        "method": Key(Choice(("POST", "PUT", "PATCH")), "Default POST."),
        "body": Key(Text("a template", check=body_problem), "A template of JSON; default the whole update."),
        "success": Key(SUCCESS, "Which answers mean that it was taken."),
        "allow_private": PRIVATE,
    },
    word=Then(Address(), lambda url, *_: {"url": url}),
    private=True,
)


def _slack(values: dict[str, Any], here: Here) -> dict[str, Any]:
    """Hold it to one of two ways: an incoming webhook, or a bot in a channel."""
    if ("url" in values) == ("token" in values):
        here.error("", "Give it the `url` of an incoming webhook, or the `token` of a bot and a `channel`.")
    elif "token" in values and "channel" not in values:
        here.error("", "The key 'channel' is missing here: the id of the channel that the bot posts in.")
    elif stray := [key for key in ("channel", "threads", "api") if key in values and "url" in values]:
        here.error(stray[0], f"'{stray[0]}' belongs to a bot: an incoming webhook posts in its own channel.")
    return values


SLACK = Record(
    "slack",
    {
        "url": Key(SecretRef(), "The incoming webhook's address, as a reference."),
        "token": Key(SecretRef(), "A bot's token, as a reference: it changes what it said in place."),
        "channel": Key(Text("a channel's id like C0123456789", r"[A-Z][A-Z0-9]{5,}"), "With token: where it posts."),
        "threads": Key(Flag(), "With token: what is told in one period answers to the first message of it."),
        "api": Key(Address(), "With token: the API's address; default https://slack.com/api."),
        "allow_private": PRIVATE,
    },
    _slack,
    word=Then(SecretRef(), lambda secret, *_: {"url": secret}),
    private=True,
)


def _site(text: str) -> str | None:
    """Return what is wrong with a site: its name before .atlassian.net, or a whole address."""
    if "://" in text:
        return url_problem(text)
    return None if re.fullmatch(r"[A-Za-z0-9-]+", text) else "Expected the name before .atlassian.net, or an address."


TOOLS: Mapping[str, Shape] = {
    "okr_tracker": Record(
        "okr_tracker",
        {
            "url": _address("The address of its API.", required=True),
            "api_key": Key(SecretRef(), "Its API key, as a reference.", required=True),
            "client_id": Key(SecretRef(plain=True), "The id of the API client of the team.", required=True),
            "client_secret": Key(SecretRef(), "Its secret, as a reference.", required=True),
            "as": Key(Choice(("keyres", "kpi")), "What an address names; default keyres."),
            "scale": SCALE,
            "allow_private": PRIVATE,
        },
        private=True,
    ),
    "operately": Record(
        "operately",
        {
            "url": _address("The address of your own installation; default https://app.operately.com."),
            "token": TOKEN,
            "draft": Key(Flag(), "Leave check-ins as drafts, for a person to publish."),
            "allow_private": PRIVATE,
        },
        private=True,
    ),
    "appfire": Record(
        "appfire",
        {
            "url": _address("Default https://okr-jira-prod.appfire.com."),
            "token": TOKEN,
            "scale": SCALE,
            "allow_private": PRIVATE,
        },
        private=True,
    ),
    "aha": Record(
        "aha",
        {
            "url": _address("The account's address, like https://acme.aha.io.", required=True),
            "token": TOKEN,
            "statuses": Key(
                MapOf(Text("the id of a status"), key=Choice(tuple(one.value for one in Health))),
                "The id of a status by health; without it the status is left alone.",
            ),
            "allow_private": PRIVATE,
        },
        private=True,
    ),
    "asana": Record(
        "asana",
        {
            "url": _address("Default https://app.asana.com."),
            "token": TOKEN,
            "as": Key(Choice(("metric", "status")), "The goal's number (default), or a status update."),
            "allow_private": PRIVATE,
        },
        private=True,
    ),
    "goals": Record(
        "goals",
        {
            "site": Key(Text("a site's name or address", check=_site), "acme of acme.atlassian.net.", required=True),
            "email": Key(SecretRef(plain=True), "The account of the token.", required=True),
            "token": TOKEN,
            "input": Key(Text("the name of a GraphQL type", r"[A-Za-z_0-9]+"), "The type of the input."),
            "allow_private": PRIVATE,
        },
        private=True,
    ),
}
"""What the tools need that this version writes to."""

APART = timedelta(hours=72)
"""how far apart Atlassian Goals want the updates of one goal"""


def pace_problem(kind: str, to: Mapping[str, object], when: PublishWhen) -> str | None:
    """Return why a place cannot be told as often as a row says, None where it can."""
    if kind == "asana" and to.get("as") == "status" and when.cron is None:
        return (
            "A status update of Asana goes to all followers of the goal and cannot be changed. "
            'Say when: {cron: "0 9 * * MON"}, or publish as: metric.'
        )
    often = when.at_most is None or when.at_most < APART
    if kind == "goals" and when.cron is None and often:
        return "Atlassian Goals want updates days apart. Say when: {at_most: 72h} or more, or a cron line."
    return None
