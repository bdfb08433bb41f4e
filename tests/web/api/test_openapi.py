"""The OpenAPI document is true: answers have the shape that it gives them, whatever is sent is answered as it says."""

import asyncio
import json
from urllib.parse import quote

import httpx
import jsonschema
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from app.web.access import Access
from app.web.api.openapi import openapi
from app.web.api.routes import ENDPOINTS
from app.web.app import application
from app.web.needs import Web
from config.access import Auth
from storage.engine import create_store, open_store

DOC = json.loads(json.dumps(openapi(ENDPOINTS, version="0.1.0")))
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, methods in DOC["paths"].items()
    for method, operation in methods.items()
}
NAMES = {"id": ["KR1", "I1", "O1", "PAY-1", "zz"], "ref": ["PAY-1", "jira:PAY-2"], "subject": ["KR1", "zz"]}


def shape(operation, status, media):
    """Return the schema of an answer, with what it refers to."""
    schema = operation["responses"][str(status)]["content"][media]["schema"]
    return {**schema, "components": DOC["components"]}


def check(operation, answer):
    """Assert that an answer is one that the document knows."""
    said = operation["responses"]
    assert str(answer.status_code) in said, f"{answer.status_code} is not in the document: {answer.text[:300]}"
    if answer.status_code == 304:
        return
    media = answer.headers["content-type"].partition(";")[0]
    assert media in said[str(answer.status_code)]["content"]
    if media != "text/csv":
        schema = shape(operation, answer.status_code, media)
        jsonschema.Draft202012Validator(schema).validate(answer.json())


async def test_an_answer_has_the_shape_that_is_told(api):
    singles = {"get_objective": "O1", "get_initiative": "I1"}
    for name, (method, path, operation) in OPERATIONS.items():
        if method == "get":
            path = path.replace("{id}", singles.get(name, "KR1")).replace("{ref}", "PAY-1")
            answer = await api.client.get(path + ("?drop=I1" if name == "what_if" else ""))
            assert answer.status_code == 200, answer.text
            check(operation, answer)


async def test_the_document_is_served(api):
    assert (await api.client.get("/api/openapi.json")).json() == DOC


def test_the_document_is_one():
    schemas = DOC["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    referred = {part.split('"')[0] for part in json.dumps(DOC).split("#/components/schemas/")[1:]}
    assert referred == set(schemas)
    assert len({endpoint.name for endpoint in ENDPOINTS}) == len(ENDPOINTS)


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
TELLING = st.sampled_from(
    ["", "0", "-1", "true", "2026-11-01", "2026-11-01T00:00:00Z", "9" * 30, "KR1", "I1=2w", "I1=+20%", "%00", "csv",
     "all", "\0", "\ud7ff", "2026-02-30", "1e400", "null", "WzFd", "WyJhIiwiYiJd", "../..", "<script>", "0001-01-01"]
)  # fmt: skip
values = TELLING | texts
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def requests(draw):
    """Return a request of one operation, in part as the document has it."""
    name = draw(st.sampled_from(sorted(OPERATIONS)))
    method, path, operation = OPERATIONS[name]
    query = []
    for param in operation["parameters"]:
        known = param["schema"].get("enum") or param["schema"].get("items", {}).get("enum") or []
        if param["in"] == "path":
            value = draw(st.sampled_from(NAMES[param["name"]]) | texts)
            path = path.replace(f"{{{param['name']}}}", quote(value, safe=""))
        elif draw(st.integers(0, 3)) == 0:
            query += [(param["name"], draw(st.sampled_from(known) | values if known else values))]
    if draw(st.integers(0, 9)) == 0:
        query.append((draw(texts), draw(values)))
    body = None
    if "requestBody" in operation:
        fields = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
        body = draw(json_values | st.fixed_dictionaries({}, optional=dict.fromkeys(fields, json_values)))
    return method, path, operation, query, body


@pytest.fixture
def ask(migrated_file, tmp_path, fill, clock):
    """Return what sends a request to the API over a filled store, in one event loop for all of them."""
    url = f"sqlite:///{tmp_path}/asked.db"
    (tmp_path / "asked.db").write_bytes(migrated_file.read_bytes())
    with asyncio.Runner() as runner:
        store = runner.run(open_store(url))
        context = runner.run(fill(store))
        web = Web(
            version="0", workspace=lambda: context.workspace, arrivals=None, metrics=None, scrape=None,
            context=lambda: context, access=Access(store=store, auth=Auth(mode="none"), now=clock), now=clock,
        )  # fmt: skip
        transport = httpx.ASGITransport(application(web))
        client = httpx.AsyncClient(transport=transport, base_url="http://localhost")

        def send(method, path, query, body):
            sent = {} if body is None else {"json": body}
            return runner.run(client.request(method.upper(), path, params=query, **sent))

        yield send
        runner.run(client.aclose())
        runner.run(store.close())


def test_whatever_is_sent_is_answered_as_the_document_says(ask):
    @settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
    @given(requests())
    def holds(request):
        method, path, operation, query, body = request
        answer = ask(method, path, query, body)
        event(f"{answer.status_code}")
        assert answer.status_code < 500
        if answer.status_code == 404 and answer.json()["detail"] == "There is nothing here.":
            return  # the path is another one
        check(operation, answer)

    holds()


async def test_a_database_that_is_away_is_told_as_such(fill, store, clock):
    context = await fill(store)
    gone = create_store("postgresql://nobody@127.0.0.1:1/none")
    web = Web(
        version="0", workspace=lambda: context.workspace, arrivals=None, metrics=None, scrape=None,
        context=lambda: context, access=Access(store=gone, now=clock), now=clock,
    )  # fmt: skip
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application(web)), base_url="http://localhost"
    ) as client:
        answer = await client.get("/api/v1/me", headers={"authorization": "Bearer kr_x"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "Is the server running" in answer.json()["detail"]
    await gone.close()
