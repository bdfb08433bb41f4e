"""What the tests of `config` share: writing files and reading them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from config.workspace import check
from domain.errors import Problem
from domain.workspace import Workspace

HEAD = "version: 1\nworkspace: acme\n"
Check = Callable[..., tuple[Workspace | None, list[Problem]]]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Write files below a folder and return the path of keyrail.yaml there."""

    def files(texts: Mapping[str, str]) -> Path:
        for name, text in texts.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path / "keyrail.yaml"

    return files


@pytest.fixture
def read(write: Callable[[Mapping[str, str]], Path]) -> Check:
    """Check one text (after version and workspace, unless `head` is False) with more files beside it."""

    def run(text: str, *, head: bool = True, environ: Mapping[str, str] | None = None, **more: str):
        files = {name.replace("__", "/") + ".yaml": body for name, body in more.items()}
        return check(write({"keyrail.yaml": (HEAD if head else "") + text, **files}), environ or {})

    return run
