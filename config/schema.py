"""The JSON Schema of the workspace file, for editors, from the same declaration that reads the file.

It says what may stand where; what only all files together can tell is left to `keyrail check`.
"""

from __future__ import annotations

from typing import Any

from config.grammar import ROOT
from config.matchers import CONDITION, ITEMS, SUBJECTS

FILE = "keyrail.schema.json"
"""Name under which `keyrail schema` is kept beside the workspace file."""

EDITOR_LINE = f"# yaml-language-server: $schema=./{FILE}"
"""First line of every generated file."""


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a workspace file or of a file that it includes."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:keyrail:workspace:1",
        "title": "Keyrail workspace",
        "description": "The workspace file of Keyrail, or a file included by it.",
        **ROOT.schema(),
        "$defs": {
            "matcher": ITEMS.definition(),
            "subject_matcher": SUBJECTS.definition(),
            "condition": CONDITION,
        },
    }
