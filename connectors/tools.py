"""What tools that are only written to share: the settings of their rows, values in a tool's own unit, plain lines.

Pure: a secret is revealed for a `Target` alone, and nothing of a row is looked up before it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.base import Call, Json, Spot
from connectors.words import SHAPES, one_line, percent, progress_words, shorten
from domain.errors import ConfigError, RejectedError
from domain.facts import StatusUpdate
from domain.okr import HEALTH_WORDS
from domain.workspace import PublishRow, Secret

LONGEST, MOST = 500, 20
"""characters of one line, and lines of one kind that are told"""


def setting(row: PublishRow, name: str, default: str | None = None) -> str:
    """Return a setting of `to` as text, a secret one revealed; raise ConfigError where it is missing."""
    value = row.to.get(name)
    if isinstance(value, Secret):
        return value.reveal(f"{row.id}: {name}")
    if value is None and default is not None:
        return default
    if value is None or not str(value):
        raise ConfigError(f"{row.id}: `to` has no '{name}', which {row.outlet} needs. See docs/outlets.md.")
    return str(value)


def source_of(row: PublishRow, name: str) -> str:
    """Say where a setting comes from, for people."""
    value = row.to.get(name)
    if not isinstance(value, Secret):
        return f"`to` of the row {row.id}"
    kind, _, where = value.source.partition(":")
    return f"environment variable {where}" if kind == "env" else f"secret file {where}"


def open_to_private(row: PublishRow) -> bool:
    """Tell whether the row may call addresses that are not public."""
    return row.to.get("allow_private") is True


def choice(row: PublishRow, name: str, options: tuple[str, ...]) -> str:
    """Return a setting that is one of a few words, the first where it is not said; raise ConfigError for another."""
    said = str(row.to.get(name, options[0]))
    if said not in options:
        raise ConfigError(f"{row.id}: '{name}' is '{said[:40]}'. Valid: {', '.join(options)}.")
    return said


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What 0 % and 100 % are in the tool's own unit, and to how many decimals it keeps values (None: all)."""

    start: float = 0.0
    end: float = 100.0
    decimals: int | None = None

    def value(self, whole: float) -> float:
        """Return a progress in percent in the tool's unit."""
        value = self.start + (self.end - self.start) * whole / 100
        return round(value, 9 if self.decimals is None else self.decimals)

    def percent(self, value: float) -> float:
        """Return a value of the tool in percent; whole where it is what we would write for a whole one."""
        back = 100 * (value - self.start) / (self.end - self.start)
        whole = round(back)
        return whole if abs(self.value(whole) - value) < 1e-9 * max(1.0, abs(value)) else back

    def checked(self, where: str) -> Range:
        """Return it as it is; raise RejectedError where whole percents cannot be told apart in it."""
        if self.start == self.end:
            raise RejectedError(
                f"{where} starts and ends at {self.start:g}, so no progress can be written. Edit it there."
            )
        if self.decimals is not None and 100 * 10.0**-self.decimals > abs(self.end - self.start) * (1 + 1e-9):
            raise RejectedError(
                f"{where} goes from {self.start:g} to {self.end:g} in steps of {10.0**-self.decimals:g}, too coarse "
                "for whole percents. Give it more decimals there."
            )
        return self


def scale_of(row: PublishRow) -> Range:
    """Return the row's `scale`: what 100 % is where the tool does not say; default 100."""
    said = setting(row, "scale", "100")
    try:
        return Range(end=float(said)).checked(f"{row.id}: `scale`")
    except ValueError as wrong:
        raise ConfigError(f"{row.id}: 'scale' is '{said[:40]}'. Expected a number: what 100 % is there.") from wrong


def whole_percent(update: StatusUpdate) -> int | None:
    """Return the progress in whole percent as words say it, None where there is none."""
    return percent(update.progress) if update.progress is not None else None


def status_line(update: StatusUpdate) -> str:
    """Return progress and health in one line."""
    return f"{progress_words(update)} · {SHAPES[update.health]} {HEALTH_WORDS[update.health]}"


def lines(texts: tuple[str, ...]) -> list[str]:
    """Return texts as lines: each one line, of bounded length and number, empty ones left out."""
    return [told for text in texts[:MOST] if (told := shorten(one_line(text), LONGEST))]


def title_of(update: StatusUpdate) -> str:
    """Return the title of a subject as one line, its id where it has none."""
    return shorten(one_line(update.title), LONGEST) or update.id


def comment_of(update: StatusUpdate) -> str:
    """Return what is said beside a number: the row's own text, else summary, changes, reasons and the link."""
    if update.text is not None:
        return update.text.strip()
    said = [*lines((update.summary, *update.changed)), *lines(update.drivers), *lines((update.url or "",))]
    return "\n".join(said)


def refuse(spot: Spot) -> None:
    """Raise RejectedError where `prepare` found, under ``refused``, why a place cannot be written to."""
    refused = mapping(spot.facts.get("refused")).get(spot.address)
    if isinstance(refused, str):
        raise RejectedError(refused)


def workspace_of(key: str) -> str:
    """Return the workspace of a natural key."""
    return key.split(":")[1] if key.startswith("keyrail:") and key.count(":") > 1 else key


def mapping(value: Json) -> Mapping[str, Json]:
    """Return a JSON object as it is, anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def number(value: Json) -> float | None:
    """Return a JSON number, also one that is written as a text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def get(path: str, **params: str) -> Call:
    """Return a call that reads."""
    return Call(method="GET", path=path, params=params)
