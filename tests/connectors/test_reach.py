"""Which addresses are public, and that a name is called at the very addresses that were judged."""

import asyncio
import socket
from contextlib import asynccontextmanager

import aiohttp.abc
import pytest

from connectors.base import Call
from connectors.http import PublicResolver
from connectors.reach import is_public
from connectors.registry import open_sink
from domain.errors import RejectedError, VendorUnavailableError
from domain.workspace import PublishRow


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::1",
        "ff02::1",
        "no address",
        "",
    ],
)
def test_not_public(address):
    assert not is_public(address)


class Names(aiohttp.abc.AbstractResolver):
    """A resolver that knows the addresses of one name."""

    def __init__(self, *addresses):
        self.addresses = addresses
        self.asked = 0

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked += 1
        kind = {"hostname": host, "port": port, "family": family, "proto": 0, "flags": 0}
        return [{**kind, "host": address} for address in self.addresses]

    async def close(self):
        self.asked = -1


async def test_a_name_is_asked_once_and_its_addresses_are_what_is_called():
    names = Names("8.8.8.8", "2001:4860:4860::8888")
    resolver = PublicResolver("hook", names)
    found = await resolver.resolve("hooks.example.com", 443)
    assert ([one["host"] for one in found], names.asked) == (["8.8.8.8", "2001:4860:4860::8888"], 1)
    await resolver.close()
    assert names.asked == -1


async def test_one_private_address_of_a_name_refuses_it():
    with pytest.raises(RejectedError, match=r"hook: hooks.example.com \(10.0.0.7\) is no public address"):
        await PublicResolver("hook", Names("8.8.8.8", "10.0.0.7")).resolve("hooks.example.com", 443)


@asynccontextmanager
async def listening():
    """A server on loopback; counts who connected, and answers 204."""
    met = []

    async def meet(reader, writer):
        met.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], met


async def call(url, **to):
    row = PublishRow(id="hook", outlet="webhook", to={"url": url, **to})
    async with open_sink(row) as client:
        await client.send(Call(method="POST", path="", json={}, headers={"webhook-id": "1"}, attempts=1))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "127.1", "0x7f000001"])
async def test_this_machine_is_not_called_however_it_is_written(host):
    async with listening() as (port, met):
        with pytest.raises((RejectedError, VendorUnavailableError)):
            await call(f"http://{host}:{port}/receive")
        assert met == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_it_is_called_where_the_row_allows_it(host):
    async with listening() as (port, met):
        await call(f"http://{host}:{port}/receive", allow_private=True)
        assert len(met) == 1
