"""The measure that Keyrail is held against: what a plain script does to copy all issues into a database.

httpx GET page after page, `json.loads`, one `executemany` of per-issue raw rows through the same async engine,
commit per page; no parsing beyond the row, no rules, no roll-up. Run: `python -m bench.plain --url U --database D`.
"""

from __future__ import annotations

import argparse
import asyncio
import json

import httpx
from sqlalchemy import JSON, Column, MetaData, String, Table, insert

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


async def copy(url: str, database: str) -> int:
    """Copy every issue and return how many there were."""
    store, copied, token = create_store(database), 0, None
    async with store.engine.begin() as tx:
        await tx.run_sync(RAW.metadata.create_all)
    async with httpx.AsyncClient(base_url=url, auth=("bench@example.com", "bench-token"), timeout=60) as client:
        while True:
            params = {"jql": JQL, "fields": "*all", "maxResults": "100"} | ({"nextPageToken": token} if token else {})
            answer = await client.get("/rest/api/3/search/jql", params=params)
            answer.raise_for_status()
            page = json.loads(answer.content)
            rows = [
                {"id": i["id"], "key": i["key"], "updated": i["fields"]["updated"], "body": i} for i in page["issues"]
            ]
            async with store.engine.begin() as tx:
                await tx.execute(insert(RAW), rows)
            copied += len(rows)
            token = page.get("nextPageToken")
            if not token:
                break
    await store.close()
    return copied


def main() -> None:
    """Copy, and print how many issues were copied."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--database", required=True)
    chosen = parser.parse_args()
    print(asyncio.run(copy(chosen.url, chosen.database)))


if __name__ == "__main__":
    main()
