"""How often somebody was not let in, by address: no IO, no clock.

Who holds a token is let in whatever others behind the same address try; only wrong ones are counted.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

MOST = 20
"""failures from one address within `SPAN` before its further ones are answered with a wait"""
SPAN = timedelta(minutes=5)
REMEMBERED = 10_000
"""addresses that are counted at once; the one that failed longest ago makes room"""


@dataclass(frozen=True, slots=True)
class Failures:
    """The failures of the last minutes."""

    times: OrderedDict[str, list[datetime]] = field(default_factory=OrderedDict)

    def note(self, address: str, now: datetime) -> timedelta:
        """Note a failure; return how long the address is to wait, zero where it may try again at once."""
        recent = [at for at in self.times.pop(address, []) if now - at < SPAN]
        if len(recent) < MOST:
            recent.append(now)
        self.times[address] = recent
        if len(self.times) > REMEMBERED:
            self.times.popitem(last=False)
        return recent[0] + SPAN - now if len(recent) >= MOST else timedelta()
