"""Which addresses of the network are public, for calls to places that people name in the workspace file.

Pure: names are resolved in `connectors.http`, which connects to the very addresses that were judged here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
"""addresses that stand for one of IPv4 behind a translator (RFC 6052, RFC 8215)"""


def is_public(address: str) -> bool:
    """Tell whether an address is one of the open internet; what is no address is none.

    Addresses of IPv6 that carry one of IPv4 (mapped, 6to4, Teredo, NAT64) are as public as that is.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and any(ip in network for network in NAT64):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def is_address(host: str) -> bool:
    """Tell whether a host is written as an address, not as a name."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def not_public(host: str, addresses: Iterable[str]) -> str | None:
    """Return why a host must not be called, None where all of its addresses are public."""
    private = next((one for one in addresses if not is_public(one)), None)
    if private is None:
        return None
    what = host if host == private else f"{host} ({private})"
    return (
        f"{what} is no public address; nothing was sent. "
        "Where this is meant, say allow_private: true on that place in the workspace file."
    )
