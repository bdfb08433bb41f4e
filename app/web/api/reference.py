"""The reference of the API as a page: every endpoint with what it takes and answers, from the declarations.

No script and nothing from elsewhere, so that it reads the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from starlette.responses import Response

from app.web.api.asked import PAGING
from app.web.api.endpoint import Endpoint, Param
from app.web.api.schema import Schema
from app.web.plain import page


def reference(endpoints: Iterable[Endpoint], *, base: str) -> Response:
    """Return the page; `base` is the address under which the API is reached."""
    groups: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        groups.setdefault(endpoint.group, []).append(endpoint)
    parts = [
        '<p><a href="/">Overview</a></p>',
        "<h1>The API</h1>",
        "<p>What the commands <code>show</code>, <code>explain</code>, <code>portfolio</code>, <code>what-if</code> "
        "and <code>coverage</code> answer, as JSON; lists a page at a time or as CSV; check-ins and overrides in. "
        'For tools: <a href="/api/openapi.json">openapi.json</a>.</p>',
        f"<p>Make a token with <code>keyrail token create NAME</code>, and send it along:</p>"
        f"<p><code>curl -H 'Authorization: Bearer kr_…' {escape(base)}/api/v1/key-results</code></p>",
        "<p>A list takes <code>limit</code> and <code>cursor</code> (the <code>next</code> of the page before), or "
        "<code>format=csv</code>. An answer has an <code>ETag</code>; sent back as <code>If-None-Match</code>, it is "
        "answered with 304 while nothing has changed. Errors are <code>application/problem+json</code>; their "
        "<code>detail</code> says what to do.</p>",
    ]
    for group, inside in groups.items():
        parts.append(f"<h2>{escape(group)}</h2>")
        parts += [section(endpoint) for endpoint in inside]
    return page("The API", "".join(parts))


def section(endpoint: Endpoint) -> str:
    """Return what the page says of one endpoint."""
    needs = " Needs a token of the role <code>write</code>." if endpoint.role == "write" else ""
    head = f'<h3 id="{endpoint.name}"><code>{endpoint.method} {escape(endpoint.path)}</code></h3>'
    own = "".join(parameter(param) for param in endpoint.params if param not in PAGING)
    taken = f'<table><caption class="quiet">Parameters</caption><tbody>{own}</tbody></table>' if own else ""
    if endpoint.body is not None:
        required = endpoint.body["required"]
        rows = "".join(
            f'<tr><th scope="row"><code>{escape(name)}</code></th><td>{escape(kind_of(schema))}'
            f"{'' if name in required else ', may be left out'}</td></tr>"
            for name, schema in endpoint.body["properties"].items()
        )
        taken += f'<table><caption class="quiet">Body</caption><tbody>{rows}</tbody></table>'
    fields = ", ".join(f"<code>{escape(name)}</code>" for name in endpoint.answer["properties"])
    what = "Each record" if endpoint.listed else "The answer"
    answered = (
        f"<details><summary>{what} has {len(endpoint.answer['properties'])} fields</summary><p>{fields}</p></details>"
    )
    return f"{head}<p>{marked(endpoint.says)}{needs}</p>{taken}{answered}"


def parameter(param: Param) -> str:
    """Return the row of a parameter."""
    more = ", may be repeated" if param.repeats else ""
    return (
        f'<tr><th scope="row"><code>{escape(param.name)}</code></th><td>{escape(kind_of(param.schema))}{more}</td>'
        f"<td>{marked(param.says)}</td></tr>"
    )


def kind_of(schema: Schema) -> str:
    """Return what a value is, in words."""
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"] if one is not None)
    return WORDS.get(schema.get("format") or schema["type"], str(schema["type"]))


WORDS = {"date": "day", "date-time": "instant", "string": "text", "integer": "whole number"}
"""formats and types of JSON Schema -> words"""


def marked(text: str) -> str:
    """Return a text whose words between backticks are code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
