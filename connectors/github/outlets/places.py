"""Issues and projects as a workspace file writes them, and the id of the one that an update goes to.

Pure. `prepare` finds the ids; what it did not find is refused here, so that one wrong address stops no other.
"""

from __future__ import annotations

import re

from connectors.base import Spot
from domain.errors import RejectedError

ISSUE = re.compile(r"(?P<owner>[\w.-]+)/(?P<name>[\w.-]+)#(?P<number>\d+)", re.ASCII)
PROJECT = re.compile(r"(?P<owner>[\w.-]+)/(?P<number>\d+)", re.ASCII)


def issue_of(spot: Spot) -> str:
    """Return the id of the issue; raise RejectedError where it was not found by its address."""
    return _known(spot, "issue", "acme/api#418")


def name_of(spot: Spot) -> str:
    """Return the issue as people know it, where `prepare` saw it."""
    names = spot.facts.get("names")
    return str(names.get(spot.address, spot.address)) if isinstance(names, dict) else spot.address


def project_of(spot: Spot) -> str:
    """Return the id of the project; raise RejectedError where it was not found by its address."""
    return _known(spot, "project", "acme/12")


def _known(spot: Spot, what: str, like: str) -> str:
    if "/" in spot.address or "#" in spot.address:
        raise RejectedError(
            f"{spot.row.id}: there is no {what} {spot.address}, or our account may not see it. Check the address, "
            f"written like {like}, and what the token may read."
        )
    return spot.address
