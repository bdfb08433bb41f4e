"""The shape of `connections`: one record a tracker, with the ways in that the tracker knows.

Nothing is asked of a tracker here; secrets stay references until they are needed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from config import nodes
from config.nodes import Node
from config.notes import BAD, Bad, Notes, Schema, Shape, at, nearest, refuse
from config.patterns import check_regex, group_count
from config.scalars import Choice, Define, Flag, Number, SecretRef, Span, Text
from config.shapes import Build, ByKind, Here, Key, ListOf, MapOf, Record, Then
from domain.workspace import Connection

TRACKERS = ("jira", "github", "linear")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
DEFAULT_URL = {"github": "https://api.github.com", "linear": "https://api.linear.app/graphql"}
NAME = r"[^\W_][\w.\-]*"


def is_loopback(host: str) -> bool:
    """Whether a host name stands for this machine."""
    return host in LOOPBACK or host.startswith("127.") or host.endswith(".localhost")


def url_problem(url: str, *, allow_http: bool = False) -> str | None:
    """Return what is wrong with an address that Keyrail is to call, None if nothing is.

    https; http for loopback or where `allow_http`; no user name, password, query or fragment. The address
    is not repeated: it may hold a credential.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "Expected an address like https://host/path."
    if parts.scheme not in ("https", "http") or not host or any(letter.isspace() for letter in url):
        return "Expected an address like https://host/path."
    if parts.username is not None or parts.password is not None:
        return "An address holds no user name or password. Give them under auth."
    if port == 0:
        return "Port 0 cannot be called."
    if parts.scheme == "http" and not (allow_http or is_loopback(host)):
        return f"Expected https, found http for {host}. Plain http is for loopback, or with allow_http: true."
    return None


URL = Text("an address like https://host/path")


def _regex_with_group(text: str, node: Node, path: str, notes: Notes) -> Any:
    if check_regex(text, node, path, notes) is BAD:
        return BAD
    if group_count(text) < 1:
        notes.error(at(node, path), "Expected a regular expression with one group ( ) around the value.")
        return BAD
    return text


LABEL = Then(Text("a regular expression with one group"), _regex_with_group)
PLAIN = SecretRef(plain=True)
SECRET = SecretRef()
WORD = Text("a word")
WORDS = ListOf(WORD)
REPOSITORY = Text("a repository as owner/name", r"[^\s/]+/[^\s/]+")
PROJECT = Text("a project as owner/number", r"[^\s/]+/[0-9]+")

CLIENT = {
    "client_id": Key(PLAIN, "The application's client id.", required=True),
    "client_secret": Key(SECRET, "The application's client secret, as a reference.", required=True),
}
OAUTH = Record(
    "oauth",
    CLIENT | {"refresh_token": Key(SECRET, "The first refresh token, as a reference.", required=True)},
    private=True,
)
APP = Record(
    "app",
    {
        "id": Key(PLAIN, "The app's id.", required=True),
        "installation": Key(PLAIN, "The id of its installation.", required=True),
        "private_key": Key(SECRET, "The app's private key (PEM), as a reference.", required=True),
    },
    private=True,
)
TOKEN = Key(SECRET, "An API token, as a reference.")


def _auth(ways: tuple[frozenset[str], ...]) -> Build:
    def build(values: dict[str, Any], here: Here) -> dict[str, Any]:
        if values.keys() not in ways:
            words = " or ".join("{" + ", ".join(sorted(way)) + "}" for way in ways)
            found = ", ".join(sorted(values)) or "nothing"
            here.error("", f"Expected one way in: {words}. Found: {found}.")
        return values

    return build


AUTH = {
    "jira": Record(
        "auth",
        {
            "email": Key(PLAIN, "The account's e-mail address (Cloud)."),
            "token": TOKEN,
            "pat": Key(SECRET, "A personal access token (Data Center), as a reference."),
            "user": Key(PLAIN, "The account's user name (Data Center)."),
            "password": Key(SECRET, "The account's password (Data Center), as a reference."),
            "oauth": Key(OAUTH, "An OAuth 2.0 application (Cloud)."),
        },
        _auth(
            (frozenset({"email", "token"}), frozenset({"pat"}), frozenset({"oauth"}), frozenset({"user", "password"}))
        ),
        private=True,
    ),
    "github": Record(
        "auth",
        {"token": TOKEN, "app": Key(APP, "A GitHub App.")},
        _auth((frozenset({"token"}), frozenset({"app"}))),
        private=True,
    ),
    "linear": Record(
        "auth",
        {
            "token": TOKEN,
            "oauth": Key(OAUTH, "An OAuth application acting for its user."),
            "client_credentials": Key(
                Record("client_credentials", CLIENT, private=True), "An OAuth application acting for itself."
            ),
        },
        _auth((frozenset({"token"}), frozenset({"oauth"}), frozenset({"client_credentials"}))),
        private=True,
    ),
}


def _scope(keys: tuple[str, ...]) -> Build:
    def build(values: dict[str, Any], here: Here) -> dict[str, Any]:
        if not any(values.get(key) for key in keys):
            here.error("", f"The scope is empty: name at least one under {' or '.join(keys)}.")
        if values.get("projects") and values.get("jql"):
            here.error("jql", "Expected projects or jql, found both. Put the projects into the JQL.")
        if values.get("children") and not values.get("jql"):
            here.warning("children", "Has an effect with jql only; projects are read whole.")
        return values

    return build


SCOPE = {
    "jira": Record(
        "scope",
        {
            "projects": Key(WORDS, "Project keys."),
            "jql": Key(Text("a JQL query"), "Issues by query, in place of projects."),
            "children": Key(Flag(), "With jql: the descendants of what is found come along."),
        },
        _scope(("projects", "jql")),
    ),
    "github": Record(
        "scope",
        {
            "repositories": Key(ListOf(REPOSITORY), "Repositories as owner/name."),
            "organizations": Key(WORDS, "Organizations whose repositories are read."),
            "projects": Key(ListOf(PROJECT), "Projects as owner/number; their items are read."),
        },
        _scope(("repositories", "organizations", "projects")),
    ),
    "linear": Record(
        "scope",
        {"teams": Key(WORDS, "Team keys; the projects and initiatives that they touch come along.")},
        _scope(("teams",)),
    ),
}


def _one_of(values: dict[str, Any], here: Here) -> dict[str, Any]:
    if len(values) != 1:
        here.error("", f"Expected exactly one key, found {len(values)}.")
    return values


ESTIMATE: dict[str, Shape] = {
    "jira": Text("auto, none, or the name or id of a field"),
    "github": ByKind(
        word=Choice(("auto", "none")),
        mapping=Record(
            "estimate",
            {
                "issue_field": Key(WORD, "The issue field that holds the estimate."),
                "project_field": Key(WORD, "The project field that holds the estimate."),
                "label": Key(LABEL, "A regular expression over labels; its group is the estimate."),
            },
            _one_of,
        ),
    ),
    "linear": Choice(("auto", "none")),
}

STATUS = ByKind(
    word=Choice(("auto",)),
    mapping=Record(
        "status",
        {
            "project_field": Key(WORD, "The project field that holds the status."),
            "label": Key(LABEL, "A regular expression over labels; its group is the status."),
        },
        _one_of,
    ),
)

EPICS = Record(
    "epics",
    {
        "types": Key(WORDS, "Issue types that are epics."),
        "with_sub_issues": Key(Flag(), "An issue with sub-issues is an epic."),
        "milestones": Key(Flag(), "Milestones are epics."),
    },
)


def _levels(values: dict[str, Any], here: Here) -> dict[str, tuple[str, ...]]:
    seen: dict[str, str] = {}
    for level, types in values.items():
        for name in types:
            if seen.setdefault(name.lower(), level) != level:
                here.error(level, f"The type '{name}' stands under {seen[name.lower()]} too. Keep one.")
    return {level: tuple(types) for level, types in values.items()}


LEVELS = Record(
    "levels",
    {
        "initiative": Key(WORDS, "Issue types above epics."),
        "epic": Key(WORDS, "Issue types that are epics."),
        "issue": Key(WORDS, "Issue types that are issues."),
        "subtask": Key(WORDS, "Issue types that are sub-tasks."),
    },
    _levels,
)

CATEGORIES = Choice(("todo", "in_progress", "review", "done", "canceled"))

COMMON = {
    "type": Key(Choice(TRACKERS), "Which tracker this is.", required=True),
    "url": Key(URL, "The tracker's base address; https, or http for loopback."),
    "allow_http": Key(Flag(), "Accept plain http for another host than loopback."),
    "fields": Key(MapOf(WORD), "Fields of the tracker to keep on the item, by the name rules use."),
    "statuses": Key(MapOf(CATEGORIES, fold=True), "The tracker's status words and what they count as."),
    "poll": Key(Span(timedelta(seconds=1)), "How often changes are asked for, like 5m."),
    "census": Key(Span(timedelta(minutes=1)), "How often all ids are compared, like 24h."),
    "webhook": Key(
        Record(
            "webhook",
            {
                "secret": Key(SECRET, "The secret that signs deliveries, as a reference."),
                "url": Key(URL, "The public address of this connection's webhook, for registering it."),
            },
            private=True,
        ),
        "How deliveries are verified.",
    ),
    "budget": Key(Number(above=0, most=1), "Share of the account's rate limit that Keyrail may use."),
}


def _keys(tracker: str) -> dict[str, Key]:
    own = {
        "auth": Key(AUTH[tracker], "The account's credentials.", required=True),
        "scope": Key(SCOPE[tracker], "What is read.", required=True),
        "estimate": Key(ESTIMATE[tracker], "Where the estimate stands."),
    }
    if tracker == "jira":
        own["deployment"] = Key(Choice(("auto", "cloud", "datacenter")), "Which Jira this is.")
        own["resolutions"] = Key(
            MapOf(Choice(("canceled", "done")), fold=True), "Resolutions that mean canceled, beside the usual ones."
        )
    if tracker in ("jira", "github"):
        own["levels"] = Key(LEVELS, "Issue types by level.")
    if tracker == "github":
        own["status"] = Key(STATUS, "Where the status stands.")
        own["epics"] = Key(EPICS, "Which issues are epics.")
    common = dict(COMMON)
    if tracker not in DEFAULT_URL:
        common["url"] = Key(URL, COMMON["url"].doc, required=True)
    return common | own


def _connection(values: dict[str, Any], here: Here) -> Connection:
    tracker = values["type"]
    webhook = values.pop("webhook", None) or {}
    values.setdefault("url", DEFAULT_URL.get(tracker, ""))
    allow_http = values.get("allow_http", False)
    if problem := url_problem(values["url"], allow_http=allow_http):
        here.error("url", problem)
    if "url" in webhook and (problem := url_problem(webhook["url"], allow_http=allow_http)):
        here.error("webhook", problem)
    if tracker == "linear" and values.get("fields"):
        here.warning("fields", "Has no effect: Linear has no fields of its own. Use labels.")
    values["url"] = values["url"].rstrip("/")
    return Connection(
        name=here.path.removeprefix("connections."),
        webhook_secret=webhook.get("secret"),
        webhook_url=webhook.get("url"),
        **values,
    )


RECORDS = {tracker: Record(f"a {tracker} connection", _keys(tracker), _connection) for tracker in TRACKERS}


class ConnectionShape:
    """A connection: which record it is, its `type` says."""

    expected = "a mapping with type, url, auth and scope"

    def read(self, node: Node, path: str, notes: Notes) -> Connection | Bad:
        if not isinstance(node, nodes.Mapping):
            return refuse(node, path, notes, self.expected)
        if "type" not in node.values:
            close = nearest("type", node.values)
            hint = f" Is '{close}' meant to be it?" if close else ""
            notes.error(at(node, path), f"The key 'type' is missing here: one of {', '.join(TRACKERS)}.{hint}")
            return BAD
        tracker = Choice(TRACKERS).read(node.values["type"], f"{path}.type", notes)
        if isinstance(tracker, Bad):
            return BAD
        connection: Connection | Bad = RECORDS[tracker].read(node, path, notes)
        return connection

    def schema(self) -> Schema:
        branches = []
        for tracker in TRACKERS:
            schema = RECORDS[tracker].schema()
            schema["properties"]["type"] = {"const": tracker, "description": COMMON["type"].doc}
            branches.append(schema)
        return {"type": "object", "required": ["type"], "anyOf": branches}


CONNECTIONS = MapOf(ConnectionShape(), key=Define("connection", "connection", NAME))
