"""Who is let in, as the environment says it: KEYRAIL_AUTH and what belongs to it.

What letting in means is decided in `app.web.access`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from config.variables import names, problem, word
from domain.errors import ConfigError, Problem

MODES = ("token", "none", "proxy")
BADGES = ("private", "public")
HEADER = "X-Forwarded-User"
EVERYBODY = "*"
TOKEN_OF_HTTP = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
"""what a header may be called (RFC 9110, 5.6.2)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Who is let in. `header` is in lower case; `writers` are names, or ``*`` for everybody whom the proxy knows.

    Tokens and sessions are taken in every mode but ``none``, in which everybody is.
    """

    mode: str = "token"
    header: str = HEADER.lower()
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    writers: frozenset[str] = frozenset()
    badges: str = "private"

    def may_write(self, name: str) -> bool:
        """Return whether somebody whom the proxy names may write."""
        return EVERYBODY in self.writers or name in self.writers

    def trusts(self, address: str | None) -> bool:
        """Return whether a header from an address is believed."""
        try:
            asking = ip_address(address or "")
        except ValueError:
            return False
        mapped = getattr(asking, "ipv4_mapped", None)
        return any((mapped or asking) in network for network in self.proxies)


def read_auth(stated: Mapping[str, str], problems: list[Problem]) -> Auth:
    """Return who is let in; what is wrong is added to `problems`."""
    mode = word("KEYRAIL_AUTH", stated.get("KEYRAIL_AUTH", "token"), MODES, problems)
    header = stated.get("KEYRAIL_AUTH_HEADER", HEADER)
    if not TOKEN_OF_HTTP.fullmatch(header):
        problems.append(problem("KEYRAIL_AUTH_HEADER", f"Expected the name of a header, such as {HEADER}."))
    proxies = _networks(names(stated.get("KEYRAIL_AUTH_PROXIES", "")), problems)
    if mode == "proxy" and not proxies and not problems:
        problems.append(
            problem(
                "KEYRAIL_AUTH_PROXIES",
                f"KEYRAIL_AUTH=proxy believes {header} from the addresses that are named here, and none is."
                " Name those of the proxy, such as 10.0.0.5 or 10.0.0.0/24.",
            )
        )
    return Auth(
        mode=mode,
        header=header.lower(),
        proxies=proxies,
        writers=frozenset(names(stated.get("KEYRAIL_AUTH_WRITERS", ""))),
        badges=word("KEYRAIL_BADGES", stated.get("KEYRAIL_BADGES", "private"), BADGES, problems),
    )


def check_exposure(auth: Auth, host: str) -> None:
    """Raise ConfigError where everybody on a network would be let in."""
    if auth.mode == "none" and not is_loopback(host):
        raise ConfigError(
            f"KEYRAIL_AUTH=none lets everybody in who reaches {host}. Set KEYRAIL_HOST to 127.0.0.1,"
            " or leave KEYRAIL_AUTH out and give people tokens: keyrail token create NAME."
        )


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _networks(said: list[str], problems: list[Problem]) -> tuple[IPv4Network | IPv6Network, ...]:
    found = []
    for name in said:
        try:
            found.append(ip_network(name))
        except ValueError as error:
            message = f"Expected addresses or networks with commas between, such as 10.0.0.5, 10.1.0.0/16: {error}."
            problems.append(problem("KEYRAIL_AUTH_PROXIES", message))
    return tuple(found)
