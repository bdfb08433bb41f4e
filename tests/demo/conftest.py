"""A small site over HTTP in memory, and a check of every exchange against Atlassian's published description."""

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from jsonschema import Draft4Validator, FormatChecker

from app.demo.jira import Face, application
from app.demo.site import Site

NOW = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)

# What recorded traffic has and the description forbids. Each entry: (operation, place, rule that is broken).
DEVIATIONS = {
    # From and to are null where the field had no value, or where only the words exist (numbers, keys).
    *(
        (call, f"{place}/items/*/{name}", "type")
        for call, place in (
            ("POST /rest/api/3/changelog/bulkfetch", "issueChangeLogs/*/changeHistories/*"),
            ("GET /rest/api/3/issue/{issueIdOrKey}/changelog", "values/*"),
            ("GET /rest/api/3/issue/{issueIdOrKey}", "changelog/histories/*"),
        )
        for name in ("from", "fromString", "to", "toString")
    ),
    # A change of assignee carries two keys that the closed description lacks.
    *(
        (call, f"{place}/items/*", "additionalProperties")
        for call, place in (
            ("POST /rest/api/3/changelog/bulkfetch", "issueChangeLogs/*/changeHistories/*"),
            ("GET /rest/api/3/issue/{issueIdOrKey}/changelog", "values/*"),
            ("GET /rest/api/3/issue/{issueIdOrKey}", "changelog/histories/*"),
        )
    ),
    # Offsets have no colon.
    ("POST /rest/api/3/changelog/bulkfetch", "issueChangeLogs/*/changeHistories/*/created", "format"),
    ("GET /rest/api/3/issue/{issueIdOrKey}/changelog", "values/*/created", "format"),
    ("GET /rest/api/3/issue/{issueIdOrKey}", "changelog/histories/*/created", "format"),
    ("GET /rest/api/3/serverInfo", "serverTime", "format"),
    ("GET /rest/api/3/serverInfo", "buildDate", "format"),
    ("POST /rest/api/3/issue/{issueIdOrKey}/comment", "created", "format"),
    ("POST /rest/api/3/issue/{issueIdOrKey}/comment", "updated", "format"),
    ("GET /rest/api/3/issue/{issueIdOrKey}/comment", "comments/*/created", "format"),
    ("GET /rest/api/3/issue/{issueIdOrKey}/comment", "comments/*/updated", "format"),
    *(
        (f"{method} /rest/api/3/issue/{{issueIdOrKey}}/comment/{{id}}", name, "format")
        for method in ("GET", "PUT")
        for name in ("created", "updated")
    ),
    # The last page's token is null.
    ("POST /rest/api/3/changelog/bulkfetch", "nextPageToken", "type"),
    # Names before translation, and the second id of projects, are sent and not described.
    ("GET /rest/api/3/issuetype", "*", "additionalProperties"),
    ("GET /rest/api/3/field", "*", "additionalProperties"),
    ("GET /rest/api/3/project/search", "values/*", "additionalProperties"),
}
EXTRA_KEYS = {"tmpFromAccountId", "tmpToAccountId", "untranslatedName", "entityId"}

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def plain(node):
    """OpenAPI 3.0 to JSON Schema, as far as these files need it."""
    if isinstance(node, list):
        return [plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: plain(value) for key, value in node.items() if key not in ("example", "examples")}
    if out.pop("nullable", None) is True and isinstance(out.get("type"), str):
        out["type"] = [out["type"], "null"]
    return out


class Description:
    """The published description: finds the operation of an exchange and what its bodies break."""

    def __init__(self, *documents):
        self.operations = []
        self.formats = FormatChecker(formats=())
        self.formats.checks("date-time")(lambda value: not isinstance(value, str) or bool(_RFC3339.fullmatch(value)))
        for document in documents:
            components = plain(document["components"])
            for template, item in document["paths"].items():
                pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", template) + "$")
                for method, operation in item.items():
                    if method in ("get", "post", "put", "delete"):
                        self.operations.append((method.upper(), template, pattern, operation, components))
        self.operations.sort(key=lambda row: row[1].count("{"))

    def find(self, method, path):
        for known, template, pattern, operation, components in self.operations:
            if known == method and pattern.match(path):
                return f"{method} {template}", operation, components
        raise AssertionError(f"{method} {path} is in no published description")

    def broken(self, exchange):
        """Return {(operation, place, rule)} for everything in request and answer that breaks the description."""
        name, operation, components = self.find(exchange.method, exchange.path)
        found = {(name, "operation", "deprecated")} if operation.get("deprecated") else set()
        allowed = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"}
        found |= {(name, f"?{key}", "parameter") for key, _ in exchange.query if key not in allowed}
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if exchange.request and body:
            found |= self._errors(f"{name} request", body, components, exchange.request)
        answer = operation["responses"].get(str(exchange.status), {}).get("content", {}).get("application/json", {})
        if exchange.answer and answer.get("schema"):
            found |= self._errors(name, answer["schema"], components, exchange.answer)
        return found

    def _errors(self, name, schema, components, raw):
        validator = Draft4Validator({**plain(schema), "components": components}, format_checker=self.formats)
        errors = [leaf for error in validator.iter_errors(json.loads(raw)) for leaf in leaves(error)]
        return {(name, place(error), error.validator) for error in errors}


def leaves(error):
    """The errors under `allOf`; of a refused additional key only those that are not known to be sent."""
    if error.context and error.validator == "allOf":
        for inner in error.context:
            yield from leaves(inner)
    else:
        yield error


def place(error):
    path = "/".join("*" if isinstance(step, int) else step for step in error.absolute_path)
    if error.validator != "additionalProperties":
        return path
    unknown = set(error.instance) - set(error.schema.get("properties", {}))
    return path if unknown <= EXTRA_KEYS else f"{path} {sorted(unknown - EXTRA_KEYS)}"


def shared(name):
    folder = os.environ.get("KEYRAIL_SHARED")
    path = Path(folder or Path(__file__).parents[3] / "shared") / "schemas" / name
    if not path.exists() and folder is None:
        pytest.skip(f"{name} is not beside this repository and KEYRAIL_SHARED is not set")
    return json.loads(path.read_text())


@pytest.fixture(scope="session")
def description():
    return Description(shared("jira-cloud-v3.openapi.json"), shared("jira-agile.openapi.json"))


class Clock:
    """The site's time, moved by hand."""

    def __init__(self):
        self.at = NOW

    def __call__(self):
        return self.at

    def forward(self, seconds):
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def site(clock):
    """Two projects; an epic PAY-1 with PAY-2 (done, 3 points) and PAY-3 (open), CORE-1 alone."""
    site = Site(clock=clock)
    site.add_user("Payments team")
    site.add_project("PAY", "Payments")
    site.add_project("CORE", "Core", style="next-gen")
    sprint = site.add_sprint("Sprint 1", "active", NOW - timedelta(days=7), NOW + timedelta(days=7))
    epic = site.create("PAY", "Epic", "One-click pay", at=NOW - timedelta(days=40), labels=["okr/I1"])
    done = site.create("PAY", "Story", "Stored cards", at=NOW - timedelta(days=39), parent=epic, points=2, team="Pay")
    site.create("PAY", "Task", "Consent", at=NOW - timedelta(days=38), parent=epic, description="Ask once.")
    site.create("CORE", "Bug", "Queue stalls", at=NOW - timedelta(days=37))
    site.change(done, at=NOW - timedelta(days=20), assignee="Payments team", sprint=sprint, points=3, labels=["a", "b"])
    site.change(done, at=NOW - timedelta(days=19), status="In Progress")
    site.change(done, at=NOW - timedelta(days=18), status="Done")
    return site


@pytest.fixture
def face(site) -> Face:
    return application(site)


@pytest.fixture
async def jira(site, face):
    transport = httpx.ASGITransport(app=face)
    async with httpx.AsyncClient(transport=transport, base_url=site.url, auth=(site.email, site.token)) as client:
        yield client


@pytest.fixture
def search(jira):
    async def ask(jql, fields=("key",), **more):
        answer = await jira.post("/rest/api/3/search/jql", json={"jql": jql, "fields": list(fields), **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask


@pytest.fixture
def keys(search):
    async def ask(jql):
        return [issue["key"] for issue in (await search(jql, maxResults=5000))["issues"]]

    return ask


@pytest.fixture
def deviations():
    return DEVIATIONS
