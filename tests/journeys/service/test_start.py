"""How the service begins and ends: what it refuses, what it waits for, and that SIGTERM loses nothing."""

import os
import re
import signal
import socket
import time

import httpx
import psycopg
import pytest

SQLITE = pytest.mark.parametrize("copied", ["sqlite"], indirect=True)
POSTGRES = pytest.mark.parametrize("copied", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)


def said(running):
    """Return what a running command said so far."""
    return (running.folder / "err").read_text()


@SQLITE
async def test_a_second_service_on_one_sqlite_file_is_refused(house):
    first = house.start("serve")
    await house.until(lambda: "To sign in" in said(first), "the service")
    async with httpx.AsyncClient() as browser:
        link = re.search(r"http://127\.0\.0\.1:\d+/login\?once=\S+", said(first))[0]
        assert (await browser.get(link)).headers["location"] == "/"
        me = await browser.get(f"{link.partition('/login')[0]}/api/v1/me")
        assert (me.json()["role"], me.json()["via"]) == ("write", "session")
    second = await house.command("serve")
    assert second.code == 1
    assert "Another keyrail serve works on sqlite:///" in second.words
    assert "Stop it first" in second.words
    os.kill(first.pid, signal.SIGTERM)
    assert (await house.ended_well(first)).code == 0


@SQLITE
@pytest.mark.parametrize("role", ["receiver", "worker"])
async def test_roles_apart_need_postgresql(house, role):
    ended = await house.command("serve", "--role", role)
    assert ended.code == 2
    assert "leave --role out, or set KEYRAIL_DATABASE_URL to postgresql://" in ended.words


@SQLITE
async def test_a_port_that_is_taken_is_told(house):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        ended = await house.command("serve", KEYRAIL_PORT=port)
    assert ended.code == 1
    assert f"Cannot listen on 127.0.0.1 port {port}: Address already in use." in ended.words
    assert "KEYRAIL_PORT" in ended.words
    assert ended.err.startswith("Error: Cannot listen"), "nothing was begun before"


@POSTGRES
async def test_a_database_that_is_away_is_refused_or_awaited(house, postgres_server):
    away = house.url + "_away"
    refused = await house.command("serve", KEYRAIL_DATABASE_URL=away)
    assert refused.code == 1
    assert "does not exist" in refused.words
    waiting = house.start("serve", KEYRAIL_DATABASE_URL=away, KEYRAIL_DATABASE_WAIT="60")
    await house.until(lambda: "Waiting for the database." in said(waiting), "the wait")
    name = away.rpartition("/")[2]
    postgres_server.execute(f'create database "{name}"')
    try:
        await house.until(lambda: "Keyrail serves demo at" in said(waiting), "the service")
        os.kill(waiting.pid, signal.SIGTERM)
        assert (await house.ended_well(waiting)).code == 0
    finally:
        postgres_server.execute(f'drop database "{name}" with (force)')


@POSTGRES
async def test_a_newer_database_is_refused_at_once(house):
    with psycopg.connect(house.url, autocommit=True) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    began = time.monotonic()
    ended = await house.command("serve", KEYRAIL_DATABASE_WAIT="60")
    assert ended.code == 1
    assert time.monotonic() - began < 20
    assert "newer" in ended.words


async def test_sigterm_in_the_middle_of_a_pull_loses_nothing(house):
    """The first start is told to end while it pulls; the second ends where an undisturbed one would."""
    items = [await house.open_work(tracker) for tracker in ("jira", "github", "linear")]
    for item in items:
        house.finish(item)
    house.file.write_text(house.file.read_text().replace("poll: 1h", "poll: 1s"))
    house.sites.jira.faults.latency = 1.0
    first = house.start("serve")
    await house.until(lambda: "Keyrail serves demo at" in said(first), "the service")
    began = time.monotonic()
    os.kill(first.pid, signal.SIGTERM)
    ended = await house.ended_well(first)
    assert ended.code == 0
    assert time.monotonic() - began < 30
    house.sites.jira.faults.latency = 0.0
    async with house.serving(poll="1s"):
        await house.until(lambda: house.done(*items), "what the first one did not get to")
        await house.agrees()
