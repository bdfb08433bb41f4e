"""The one user of httpx: hosts pinned, time-outs, limits obeyed, retries, status turned into an error.

Nothing in here knows what a call means; what differs between vendors comes in as a `Dialect` and an `Access`.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import random
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import aiohttp
import aiohttp.abc
import httpx
import orjson
from httpx_aiohttp import AiohttpTransport
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from connectors import ratelimit, reach
from connectors.base import Answer, Call, Json
from domain.errors import (
    AuthError,
    KeyrailError,
    NotFoundError,
    PermanentError,
    RateLimitedError,
    RejectedError,
    VendorUnavailableError,
)
from domain.workspace import Connection, Secret

MAX_BODY = 64 * 1024 * 1024
PATIENCE = timedelta(hours=6)
WRITE = "WRITE"
"""the method, in `Dialect.rates`, of calls that change something where they have a pace of their own"""
ATTEMPTS, SHORT = 4, 30.0
"""how often credentials are asked for, and the seconds that are waited for that where the answer names a time: whoever
renews a token holds its lock"""
WORTH_WAITING, WORTH_TELLING = 0.001, 2.0
"""seconds; shorter waits are not made, or made and not told"""

Now = Callable[[], datetime]
Sleep = Callable[[float], Awaitable[None]]
OnWait = Callable[[str, datetime], None]
OnAnswer = Callable[[int | None, float, ratelimit.Signal], None]
"""(status, None where there was no answer; seconds; what was said of limits): told after each call"""
Transport = httpx.AsyncBaseTransport
T = TypeVar("T")


class Wire(Protocol):
    """An exchange for getting credentials, outside limits and pace; the host is pinned as everywhere.

    It is repeated where no answer comes, or 408, 425 or 5xx, so it carries only what does no harm twice. The vendors
    see to that: an unused installation token or access token runs out, the tokens of an app's own credentials replace
    each other, and a refresh token that was used up answers again for ten minutes at Atlassian
    (https://community.developer.atlassian.com/t/54172), for thirty at Linear
    (https://nango.dev/blog/linear-oauth-refresh-token-invalid-grant).
    Raises VendorUnavailableError in the end; any other answer is for who asked to read.
    """

    async def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer: ...


class Access(Protocol):
    """How a connection proves who it is, and where its calls go."""

    @property
    def base(self) -> str:
        """The address that the paths of calls are relative to, without a slash at the end."""

    @property
    def hosts(self) -> frozenset[str]:
        """The only `host[:port]` that may be called."""

    @property
    def source(self) -> str:
        """Where the credentials come from, for people: ``environment variable JIRA_TOKEN``."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must never be shown."""

    async def headers(self, wire: Wire) -> Mapping[str, str]:
        """Return the headers that prove who we are, got anew where they ran out."""

    async def refused(self, wire: Wire, base: str, sent: Mapping[str, str]) -> bool:
        """Take in that headers `sent` to `base` were answered 401; True if a repeat may fare better."""

    def adopt(self, base: str) -> None:
        """Use the address that an earlier session found; ignored where it is not one of the vendor's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What differs between vendors at the level of HTTP.

    `rates` are calls a second and endpoint, by method, `bursts` the seconds of them that may leave at once.
    `denied` finds a refusal of our credentials in any answer, whatever its status: a text for people or None.
    `failed` finds an error in the body of an answer that has the status of a success, or 400, given the
    connection's name, as GraphQL has them; VendorUnavailableError is repeated like a 5xx. `sign` gives more headers
    for the exact bytes of a body, each time that it is sent.
    """

    vendor: str
    read_limits: ratelimit.Reader
    denied: Callable[[int, Mapping[str, str]], str | None]
    rates: Mapping[str, float]
    bursts: Mapping[str, float] = field(default_factory=dict)
    failed: Callable[[str, Call, Answer], KeyrailError | None] = lambda name, call, answer: None
    headers: Mapping[str, str] = field(default_factory=dict)
    concurrency: int = 12
    sign: Callable[[Call, bytes, datetime], Mapping[str, str]] = lambda call, body, now: {}


class _UnansweredError(VendorUnavailableError):
    """An outcome that a repeat may better; `wait` is the least number of seconds before it."""

    def __init__(self, message: str, wait: float = 0.0, *, reached: bool = True) -> None:
        super().__init__(message, reached=reached)
        self.wait = wait


class Client:
    """One connection's calls. Made by `open_client`; `notes` is scratch paper of one session."""

    def __init__(
        self,
        connection: Connection,
        *,
        access: Access,
        dialect: Dialect,
        transport: Transport,
        on_wait: OnWait | None,
        on_answer: OnAnswer | None,
        sleep: Sleep,
        now: Now,
    ) -> None:
        self.name = connection.name
        self.access = access
        self.notes: dict[str, object] = {}
        self._dialect = dialect
        self._transport = transport
        self._on_wait = on_wait
        self._on_answer = on_answer or (lambda status, seconds, signal: None)
        self._sleep = sleep
        self._now = now
        self._gate = ratelimit.Gate(connection.budget, dialect.rates, dialect.bursts)
        self._slots = asyncio.Semaphore(dialect.concurrency)
        self._headers = {"accept": "application/json", "accept-encoding": "gzip", "user-agent": "keyrail"}
        self._headers.update(dialect.headers)
        self._retrying = AsyncRetrying(
            retry=retry_if_exception_type(_UnansweredError),
            wait=_wait,
            sleep=sleep,
            reraise=True,
        )
        self._told = datetime.fromtimestamp(0, UTC)
        self._refused: set[tuple[str, ...]] = set()
        self._aside = False
        self._sent = [0]

    def aside(self) -> Client:
        """Return this session for calls that can wait, which have a share of the budget of their own."""
        waiting = copy.copy(self)
        waiting._aside = True
        return waiting

    @property
    def requests(self) -> int:
        """How many requests were sent in this session."""
        return self._sent[0]

    @property
    def now(self) -> datetime:
        """The time of this session's clock (UTC)."""
        return self._now()

    async def send(self, call: Call) -> Answer:
        """Send `call` and return its successful answer, waiting out limits and repeating what may be repeated.

        Raises AuthError, NotFoundError, RejectedError, RateLimitedError (after hours of waiting) or
        VendorUnavailableError. A call that is not idempotent is sent again only where the vendor said that
        it was not carried out (429).
        """
        return (await self._repeated(call, as_json=False))[0]

    async def read(self, call: Call) -> tuple[Answer, Json]:
        """Like `send`, for an answer that must be JSON: the answer and what its body says."""
        return await self._repeated(call, as_json=True)

    async def json(self, call: Call) -> Json:
        """Like `send`; return what the JSON body says."""
        return (await self._repeated(call, as_json=True))[1]

    async def _repeated(self, call: Call, *, as_json: bool) -> tuple[Answer, Json]:
        if not call.courtesies:
            return await self._persistent(call, as_json)
        bare = replace(call, params={k: v for k, v in call.params.items() if k not in call.courtesies}, courtesies=())
        if call.courtesies in self._refused:
            return await self._persistent(bare, as_json)
        try:
            return await self._persistent(call, as_json)
        except RejectedError as error:
            if error.status != 403:
                raise
        told = await self._persistent(bare, as_json)
        self._refused.add(call.courtesies)
        return told

    async def _persistent(self, call: Call, as_json: bool) -> tuple[Answer, Json]:
        if not call.idempotent:
            return await self._admitted(call, as_json)
        return await self._persistently(call.attempts, self._admitted, call, as_json)

    async def _persistently(self, attempts: int, once: Callable[..., Awaitable[T]], *given: object) -> T:
        try:
            return await self._retrying.copy(stop=stop_after_attempt(attempts))(once, *given)
        except _UnansweredError as error:
            tried = f" Gave up after {attempts} attempts." if attempts > 1 else ""
            raise VendorUnavailableError(f"{error}{tried}", reached=error.reached) from error

    async def _admitted(self, call: Call, as_json: bool) -> tuple[Answer, Json]:
        """Wait for our turn, exchange, obey what limits the answer states; 429 slows and never fails."""
        write = call.writes or not call.idempotent or call.method in ("PUT", "DELETE", "PATCH")
        place = _place(WRITE if write and WRITE in self._dialect.rates else call.method, call.path)
        asked_again, refusals, deadline = False, 0, self._now() + PATIENCE
        body = None if call.json is None else orjson.dumps(call.json)
        while True:
            await self._turn(call, place, write, deadline)
            proof = await self.access.headers(self._wire)
            base = self.access.base
            signed = self._dialect.sign(call, body or b"", self._now())
            async with self._slots:
                began = time.perf_counter()
                try:
                    answer = await self._exchange(
                        call.method,
                        base + call.path,
                        params=call.params,
                        headers={**proof, **call.headers, **signed},
                        body=body,
                    )
                except _UnansweredError:
                    self._on_answer(None, time.perf_counter() - began, ratelimit.QUIET)
                    raise
            signal = self._dialect.read_limits(answer, self._now())
            self._on_answer(answer.status, time.perf_counter() - began, signal)
            if signal is not ratelimit.QUIET or refusals:
                refusals += signal.limited
                wait = max(ratelimit.backoff(refusals, random.uniform(0.7, 1.3)), signal.patience(refusals))
                self._gate.learn(place, signal, self._now(), wait=wait)
            if signal.limited:
                self.notes["limit"] = signal.reason
                continue
            if answer.status == 401 and not asked_again and await self.access.refused(self._wire, base, proof):
                asked_again = True
                continue
            return answer, self._judge(call, answer, as_json)

    async def _turn(self, call: Call, place: str, write: bool, deadline: datetime) -> None:
        at = self._gate.reserve(place, self._now().timestamp(), write=write, aside=self._aside)
        while (wait := at - self._now().timestamp()) > WORTH_WAITING:
            until = datetime.fromtimestamp(at, UTC)
            if until > deadline:
                raise RateLimitedError(
                    f"{self.name}: {self._dialect.vendor} lets us go on at {until:%Y-%m-%d %H:%M} UTC; "
                    f"{call.method} {call.path} has waited its {PATIENCE.seconds // 3600} hours. Run again then.",
                    until,
                )
            if self._on_wait and wait > WORTH_TELLING and until > self._told + timedelta(seconds=WORTH_TELLING):
                self._told = until
                why = self.notes.get("limit")
                reason = f" ({why})" if why else ""
                self._on_wait(f"{self.name}: {self._dialect.vendor} asked us to pause{reason}", until)
            await self._sleep(wait)
            at = self._gate.blocked(place, write=write, aside=self._aside)

    async def _wire(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Be the `Wire` of this connection's access."""

        async def once() -> Answer:
            answer = await self._exchange(method, url, headers=headers, body=body)
            if not _is_fault(answer.status):
                return answer
            fault = self._fault(f"{method} {url}", answer)
            raise fault if fault.wait <= SHORT else VendorUnavailableError(str(fault))

        return await self._persistently(ATTEMPTS, once)

    async def _exchange(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send one request and read its whole answer, within the limits of time and size."""
        target = _url(url)
        host = target.netloc.decode("ascii")
        if host not in self.access.hosts or not url.startswith(f"{target.scheme}://{host}/"):
            raise RejectedError(f"{self.name}: {host} is not a configured host of this connection; nothing was sent.")
        if params:
            target = target.copy_with(params=params)
        sent = {**self._headers, **(headers or {})}
        if body is not None:
            sent.setdefault("content-type", "application/json")
        request = httpx.Request(method, target, headers=sent, content=body, extensions=_EXTENSIONS)
        at = self._now()
        self._sent[0] += 1
        try:
            async with asyncio.timeout(_DEADLINE):
                response = await self._transport.handle_async_request(request)
                try:
                    content = await self._body(response, method, target.path)
                finally:
                    await response.aclose()
        except (httpx.RequestError, aiohttp.ClientError, TimeoutError, OSError) as error:
            slow = isinstance(error, httpx.TimeoutException | TimeoutError)
            what = "did not answer in time" if slow else "could not be reached or broke off"
            who = f"{self.name}: {self._dialect.vendor} ({host})"
            apart = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            advice = " Check `url` of the connection, and that this machine may reach it." if apart else ""
            raise _UnansweredError(
                f"{who} {what} for {self._masked(f'{method} {target.path}')} ({type(error).__name__}).{advice}",
                reached=not apart,
            ) from error
        heads = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers.raw}
        return Answer(status=response.status_code, headers=heads, body=content, sent_at=at)

    async def _body(self, response: httpx.Response, method: str, path: str) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > MAX_BODY:
                raise RejectedError(
                    f"{self.name}: the answer to {self._masked(f'{method} {path}')} is larger than "
                    f"{MAX_BODY >> 20} MB; it was not read.",
                    status=response.status_code,
                )
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _judge(self, call: Call, answer: Answer, as_json: bool) -> Json:
        """Return the body as JSON, or raise the error that the answer stands for."""
        error = self.error_of(call, answer)
        if error is not None:
            raise error
        if not as_json:
            return None
        if _is_html(answer):
            raise self._web_page(call, answer)
        try:
            return orjson.loads(answer.body)
        except orjson.JSONDecodeError as broken:
            size = len(answer.body)
            raise _UnansweredError(
                f"{self.name}: the answer to {call.method} {call.path} is cut off or not JSON ({size} bytes)."
            ) from broken

    def error_of(self, call: Call, answer: Answer) -> KeyrailError | None:
        """The one place where a status becomes an error; None for a successful answer."""
        status, what = answer.status, f"{call.method} {call.path or 'to the address of the row'}"
        denied = self._dialect.denied(status, answer.headers)
        words = self._quote(answer)
        if denied:
            return AuthError(f"{self.name}: {denied} Check {self.access.source}.{words}")
        if status in call.accepts:
            return None
        if status < 300 or status in (303, 400):
            failed = self._dialect.failed(self.name, call, answer)
            if isinstance(failed, AuthError):
                failed.args = (f"{failed} Check {self.access.source}.",)
                return failed
            if isinstance(failed, VendorUnavailableError):
                return _UnansweredError(str(failed))
            if failed is not None or status != 400:
                return failed
        match status:
            case 401:
                return AuthError(
                    f"{self.name}: {self._dialect.vendor} refused our credentials (401) for {what}. "
                    f"Check {self.access.source}: is it still valid, of this site, and does it have the scopes?{words}"
                )
            case 404:
                account = f"the account of {self.access.source}"
                return NotFoundError(f"{self.name}: {what}: not found, or not visible to {account} (404).{words}")
            case 403:
                return RejectedError(f"{self.name}: {what}: the account lacks the permission (403).{words}", status=403)
            case 410:
                return RejectedError(f"{self.name}: {what}: a removed API (410). Update Keyrail.{words}", status=410)
            case _ if _is_fault(status):
                return self._fault(what, answer)
            case _ if status < 400:
                return self._redirected(what, answer)
            case _:
                return RejectedError(f"{self.name}: {what} was refused ({status}).{words}", status=status)

    def _fault(self, what: str, answer: Answer) -> _UnansweredError:
        asked = ratelimit.retry_after(answer.headers, self._now())
        wait = (asked - self._now()).total_seconds() if asked else 0.0
        text = f"{self.name}: {self._dialect.vendor} answered {answer.status} to {what}.{self._quote(answer)}"
        return _UnansweredError(text, wait)

    def _redirected(self, what: str, answer: Answer) -> PermanentError:
        place = answer.headers.get("location", "").lower()
        if "login" in place or "saml" in place or "sso" in place:
            return AuthError(
                f"{self.name}: {what} was redirected to a login page ({answer.status}). Check {self.access.source}."
            )
        return RejectedError(
            f"{self.name}: {what} was redirected ({answer.status}); redirects are not followed. "
            "Put the final address into its `url`.",
            status=answer.status,
        )

    def _web_page(self, call: Call, answer: Answer) -> KeyrailError:
        what = f"{self.name}: {call.method} {call.path} was answered with a web page instead of JSON"
        page = answer.body[:65_536].lower()
        if any(word in page for word in (b"password", b"log in", b"login", b"saml", b"sign in")):
            return AuthError(f"{what}: a login page. Check {self.access.source}, and that `url` is the final address.")
        return _UnansweredError(f"{what}: a proxy or a maintenance page stands before it.")

    def _quote(self, answer: Answer) -> str:
        if answer.status < 400:
            return ""
        said = self._masked(vendor_words(answer.body))
        said = said if len(said) <= 300 else said[:299] + "…"
        return f' {self._dialect.vendor} says: "{said}"' if said else ""

    def _masked(self, text: str) -> str:
        for secret in self.access.secrets:
            text = text.replace(secret, "***")
        return text


_DEADLINE = 180.0
_EXTENSIONS = {"timeout": {"connect": 10.0, "read": 60.0, "write": 60.0, "pool": 60.0}}
_VARIABLE = re.compile(r"/[^/]*\d[^/]*")


@functools.lru_cache(maxsize=512)
def _url(text: str) -> httpx.URL:
    return httpx.URL(text)


@functools.lru_cache(maxsize=1024)
def _place(method: str, path: str) -> str:
    """The endpoint as limits see it: ids, keys and versions in the path do not make another one."""
    return f"{method} {_VARIABLE.sub('/*', path)}"


def _is_fault(status: int) -> bool:
    """Whether the vendor did not get to it, so that a repeat may fare better."""
    return status >= 500 or status in (408, 425)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = min(error.wait, 1800.0) if isinstance(error, _UnansweredError) else 0.0
    return max(asked, ratelimit.backoff(state.attempt_number, random.uniform(0.7, 1.3)))


def _is_html(answer: Answer) -> bool:
    kind = answer.headers.get("content-type", "")
    return "html" in kind or answer.body[:256].lstrip()[:1] == b"<"


def vendor_words(body: bytes) -> str:
    """What an error body says, in one line; empty for a web page, an empty body or an unknown shape."""
    try:
        said = orjson.loads(body[:100_000])
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(said, dict):
        return ""
    parts: list[str] = []
    for key in ("errorMessages", "errors", "message", "errorMessage", "error_description", "error"):
        parts.extend(_texts(said.get(key)))
    return " ".join(" ".join(dict.fromkeys(parts)).split())


def _texts(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, list):
        return [text for item in value[:5] for text in _texts(item)]
    if isinstance(value, dict):
        inner = value.get("message")
        if isinstance(inner, str):
            return [inner]
        return [f"{key}: {text}" for key, text in list(value.items())[:5] if isinstance(text, str)]
    return []


def source_of(secret: object) -> str:
    """Name the place a secret comes from, for people."""
    if not isinstance(secret, Secret):
        return "`auth` of the connection"
    kind, _, name = secret.source.partition(":")
    return f"environment variable {name}" if kind == "env" else f"secret file {name}"


@functools.lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


class PublicResolver(aiohttp.abc.AbstractResolver):
    """Resolves names to public addresses only; what it answers is what is connected to, so nothing is asked twice."""

    def __init__(self, name: str, inner: aiohttp.abc.AbstractResolver) -> None:
        self._name = name
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        """Return the addresses of a host; raise RejectedError where one of them is not public."""
        found = await self._inner.resolve(host, port, family)
        refuse_private(self._name, host, [one["host"] for one in found])
        return found

    async def close(self) -> None:
        """Close the resolver inside."""
        await self._inner.close()


def refuse_private(name: str, host: str, addresses: list[str]) -> None:
    """Raise RejectedError where one of the addresses of a host is not public."""
    if refusal := reach.not_public(host, addresses):
        raise RejectedError(f"{name}: {refusal}")


def _transport(connection: Connection, size: int, *, public_only: bool = False) -> AiohttpTransport:
    """The one line that chooses the transport: aiohttp parses HTTP in C (a third of httpcore's CPU a page)."""
    tls: ssl.SSLContext | bool = _tls() if connection.url.startswith("https") else False

    def session() -> aiohttp.ClientSession:
        resolver = PublicResolver(connection.name, aiohttp.DefaultResolver()) if public_only else None
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=size, ssl=tls, keepalive_timeout=60, resolver=resolver),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=2**18,
        )

    return AiohttpTransport(verify=tls, client=session)


@asynccontextmanager
async def open_client(
    connection: Connection,
    *,
    access: Access,
    dialect: Dialect,
    on_wait: OnWait | None = None,
    on_answer: OnAnswer | None = None,
    transport: Transport | None = None,
    sleep: Sleep = asyncio.sleep,
    now: Now = lambda: datetime.now(UTC),
    public_only: bool = False,
) -> AsyncIterator[Client]:
    """Open a connection's client and close its sockets at the end.

    `on_wait(text, until)` is told about each wait of more than two seconds, `on_answer` about each call.
    `public_only` refuses hosts whose address is not of the open internet (RejectedError, nothing sent).
    `transport`, `sleep` and `now` are for tests; `transport` is closed at the end too.
    """
    host = urlsplit(connection.url).hostname or ""
    if public_only and reach.is_address(host):
        refuse_private(connection.name, host, [host])
    wire = transport or _transport(connection, dialect.concurrency, public_only=public_only)
    try:
        yield Client(
            connection,
            access=access,
            dialect=dialect,
            transport=wire,
            on_wait=on_wait,
            on_answer=on_answer,
            sleep=sleep,
            now=now,
        )
    finally:
        await wire.aclose()
