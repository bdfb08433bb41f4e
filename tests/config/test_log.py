"""Log lines: where they go, how they look, and what never stands in them."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from config.log import Masks, configure

SECRET = 's3cret"value\\x'
KEY = "-----BEGIN KEY-----\nMIIEowIBAAKCAQEAabcdef\n-----END KEY-----"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_of_json() -> None:
    stream = io.StringIO()
    configure("info", "json", stream=stream)
    structlog.get_logger("sync").info("page stored", connection="jira-main", items=100)
    [line] = lines(stream)
    assert line.pop("at", "").endswith("Z")
    assert line == {
        "event": "page stored",
        "connection": "jira-main",
        "items": 100,
        "level": "info",
        "logger": "sync",
    }


def test_lines_of_libraries_look_the_same() -> None:
    stream = io.StringIO()
    configure("info", "auto", stream=stream)
    logging.getLogger("uvicorn.error").warning("port %s in use", 8080)
    logging.getLogger("httpx").info("HTTP Request: GET …")
    [line] = lines(stream)
    assert (line["event"], line["level"], line["logger"]) == ("port 8080 in use", "warning", "uvicorn.error")


def test_lines_below_the_level_are_left_out() -> None:
    stream = io.StringIO()
    configure("warning", "json", stream=stream)
    structlog.get_logger("a").info("no")
    structlog.get_logger("a").error("yes")
    assert [line["event"] for line in lines(stream)] == ["yes"]


def test_setting_up_again_replaces_the_set_up_before() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure("info", "json", stream=first)
    configure("info", "json", stream=second)
    structlog.get_logger("a").info("once")
    assert (first.getvalue(), len(lines(second))) == ("", 1)


@pytest.mark.parametrize("form", ["json", "console"])
def test_secrets_are_masked_everywhere(form: str) -> None:
    stream = io.StringIO()
    configure("debug", form, Masks([SECRET, KEY]), stream)
    log = structlog.get_logger("a")
    log.info(f"with {SECRET}", token=SECRET, nested={"list": [SECRET]}, key=KEY)
    logging.getLogger("lib").error("%s", SECRET)
    try:
        raise ValueError(f"bad token {SECRET}")
    except ValueError:
        log.exception("failed", detail=KEY.splitlines()[1])
    text = stream.getvalue()
    assert "[secret]" in text
    for value in ("s3cret", "MIIEowIBAAKCAQEAabcdef"):
        assert value not in text


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_values(form: str) -> None:
    stream = io.StringIO()
    configure("info", form, stream=stream)

    def read(body: bytes) -> None:
        signature = body.decode().upper()
        raise ValueError(f"not readable: {len(signature)} bytes")

    try:
        read(b"of a person")
    except ValueError:
        structlog.get_logger("a").exception("failed")
    text = stream.getvalue()
    assert "not readable: 11 bytes" in text
    assert "of a person" not in text.replace('read(b"of a person")', "")
    assert "OF A PERSON" not in text


def test_masks_can_grow_and_leave_short_words_alone() -> None:
    masks = Masks(["abc"])
    assert masks("abc issued-token") == "abc issued-token"
    masks.add(["issued-token", "issued"])
    assert masks("abc issued-token") == "abc [secret]"


def test_json_stays_json_when_a_secret_is_masked() -> None:
    stream = io.StringIO()
    configure("info", "json", Masks([SECRET]), stream)
    structlog.get_logger("a").info("x", token=SECRET)
    assert lines(stream)[0]["token"] == "[secret]"


def test_structlog_is_imported_only_when_it_is_set_up() -> None:
    code = "import sys, config.log, config.workspace; print('structlog' in sys.modules, 'pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
