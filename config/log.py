"""Logging, set up once: structlog and every library's own lines, to standard error, with secrets masked.

What is logged is decided by the callers; structlog is imported when the set-up runs, not before.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from structlog.typing import Processor, WrappedLogger

MASK = "[secret]"
SHORTEST = 4
"""Shorter values are not masked: they would blot out ordinary words."""

LINE = 16
"""Lines of a secret of several lines (a private key) are masked one by one from this length on."""

QUIET = ("httpx", "httpcore", "alembic", "apscheduler", "aiosqlite", "asyncio")
"""Libraries whose information lines say nothing to an operator."""


class Masks:
    """The values that must not be shown; more can be added while the process runs (issued tokens)."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._ordered: tuple[str, ...] = ()
        self.add(values)

    def add(self, values: Iterable[str]) -> None:
        """Mask these values too, as they are and as JSON and Python write them."""
        for value in values:
            for part in (value, *(line for line in value.splitlines() if len(line) >= LINE)):
                if len(part) >= SHORTEST:
                    self._values |= {part, json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]}
                    self._values.add(repr(part)[1:-1])
        self._ordered = tuple(sorted(self._values, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        """Return `text` with every such value replaced."""
        for value in self._ordered:
            if value in text:
                text = text.replace(value, MASK)
        return text


def configure(
    level: str = "info", form: str = "auto", masks: Masks | None = None, stream: TextIO | None = None
) -> None:
    """Send every log line to `stream` (standard error) from `level` on, as `form`: json, console or auto.

    Auto is console on a terminal, else JSON. Calling it again replaces the set-up before.
    """
    import structlog

    out = stream if stream is not None else sys.stderr
    console = form == "console" or (form == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if console:
        plain = structlog.dev.plain_traceback
        last.append(structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=plain))
    else:
        # without the values of variables: bodies and signatures are among them
        frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        last += [structlog.processors.ExceptionRenderer(frames), structlog.processors.JSONRenderer(default=str)]
    last.append(_masking(masks or Masks()))
    handler = logging.StreamHandler(out)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level) if level != "debug" else logging.DEBUG)


def _masking(masks: Masks) -> Processor:
    """Return the last step: the whole line as it would be written, with the secrets replaced."""

    def mask(_: WrappedLogger, __: str, line: Any) -> str:
        return masks(line if isinstance(line, str) else str(line))

    return mask
