"""The measure that Keyrail is held against: what a plain script does to copy all issues into a database.

httpx page after page, `json.loads`, one `executemany` of per-issue raw rows through the same async engine, commit per
page; no parsing beyond the row, no rules, no roll-up. Of GitHub and Linear it selects what Keyrail does.
Run: `python -m bench.plain --tracker T --url U --database D`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
from sqlalchemy import JSON, Column, MetaData, String, Table, insert

from bench.github import ASKED
from bench.github_issues import OWNER, REPOSITORIES
from bench.linear_issues import KEYS
from connectors.github.queries import listing_document
from connectors.linear.queries import ISSUE
from storage.engine import create_store

RAW = Table(
    "raw_issue",
    MetaData(),
    Column("id", String, primary_key=True),
    Column("key", String),
    Column("updated", String),
    Column("body", JSON),
)
JQL = "project in (BEN, OPS, WEB, APP) ORDER BY id ASC"
LINEAR_PAGE = 250
LINEAR = f"""query Issues($teams: [ID!]!, $after: String) {{
  issues(first: {LINEAR_PAGE}, after: $after, includeArchived: true, filter: {{ team: {{ id: {{ in: $teams }} }} }}) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{ {ISSUE.strip()} }}
  }}
}}"""

Rows = list[dict[str, Any]]


async def jira(client: httpx.AsyncClient) -> AsyncIterator[Rows]:
    """Read a hundred issues a page, with all their fields."""
    token = None
    while True:
        params = {"jql": JQL, "fields": "*all", "maxResults": "100"} | ({"nextPageToken": token} if token else {})
        answer = await client.get("/rest/api/3/search/jql", params=params, auth=("bench@example.com", "bench-token"))
        answer.raise_for_status()
        page = json.loads(answer.content)
        yield [{"id": i["id"], "key": i["key"], "updated": i["fields"]["updated"], "body": i} for i in page["issues"]]
        token = page.get("nextPageToken")
        if not token:
            return


async def github(client: httpx.AsyncClient) -> AsyncIterator[Rows]:
    """Read each repository from its oldest issue, a hundred issues a page."""
    for name in REPOSITORIES:
        asked = {"owner": OWNER, "name": name, "first": 100, "direction": "ASC"}
        after = None
        while True:
            page = await _told(client, listing_document(ASKED), asked | ({"after": after} if after else {}), "Bearer ")
            found = page["repository"]["issues"]
            yield [
                {"id": i["id"], "key": f"{OWNER}/{name}#{i['number']}", "updated": i["updatedAt"], "body": i}
                for i in found["nodes"]
            ]
            if not found["pageInfo"]["hasNextPage"]:
                break
            after = found["pageInfo"]["endCursor"]


async def linear(client: httpx.AsyncClient) -> AsyncIterator[Rows]:
    """Read the issues of all teams, 250 a page: the most that Linear gives, and the selection is cheap enough for."""
    teams, after = [f"team-{team}" for team in range(len(KEYS))], None
    while True:
        page = await _told(client, LINEAR, {"teams": teams} | ({"after": after} if after else {}), "")
        found = page["issues"]
        yield [{"id": i["id"], "key": i["identifier"], "updated": i["updatedAt"], "body": i} for i in found["nodes"]]
        if not found["pageInfo"]["hasNextPage"]:
            return
        after = found["pageInfo"]["endCursor"]


async def _told(client: httpx.AsyncClient, document: str, variables: dict[str, Any], scheme: str) -> dict[str, Any]:
    asked = {"query": document, "variables": variables}
    answer = await client.post("/graphql", json=asked, headers={"authorization": f"{scheme}bench-token"})
    answer.raise_for_status()
    data: dict[str, Any] = json.loads(answer.content)["data"]
    return data


PAGES = {"jira": jira, "github": github, "linear": linear}


async def copy(tracker: str, url: str, database: str) -> int:
    """Copy every issue and return how many there were."""
    store, copied = create_store(database), 0
    async with store.engine.begin() as tx:
        await tx.run_sync(RAW.metadata.create_all)
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        async for rows in PAGES[tracker](client):
            async with store.engine.begin() as tx:
                await tx.execute(insert(RAW), rows)
            copied += len(rows)
    await store.close()
    return copied


def main() -> None:
    """Copy, and print how many issues were copied."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracker", choices=sorted(PAGES), default="jira")
    parser.add_argument("--url", required=True)
    parser.add_argument("--database", required=True)
    chosen = parser.parse_args()
    print(asyncio.run(copy(chosen.tracker, chosen.url, chosen.database)))


if __name__ == "__main__":
    main()
