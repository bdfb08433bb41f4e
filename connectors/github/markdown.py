"""Text of ours as Markdown that shows it letter by letter on GitHub, and back again.

Pure. Nothing that stands in a payload may become markup, name a person or refer to another issue.
"""

from __future__ import annotations

import re

GAP = "&#8203;"
"""A space without width: what GitHub would link to falls apart, and people see no difference."""

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MARKUP = frozenset("\\`*_[]~$|")
_START = re.compile(r"^([0-9]*)([-+=.)])")
"""What opens a list or underlines a heading, at the start of a line alone."""

_BREAKS = (
    (re.compile(r"([@#])"), rf"\1{GAP}"),
    (re.compile(r"(:)(?=//)"), rf"\1{GAP}"),
    (re.compile(r"(?i)\b(www)(?=\.)"), rf"\1{GAP}"),
    (re.compile(r"(?i)\b(gh)(?=-[0-9])"), rf"\1{GAP}"),
    (re.compile(r"\b([0-9a-f]{6})(?=[0-9a-f]+\b)"), rf"\1{GAP}"),
)
"""What GitHub makes a link of even where Markdown does not: @people, #issues and GH-7, bare addresses, commits."""

_ESCAPED = re.compile(rf"{re.escape(GAP)}|&amp;|&lt;|&gt;|\\(.)")
_BACK = {GAP: "", "&amp;": "&", "&lt;": "<", "&gt;": ">"}


def escape(text: str) -> str:
    """Return Markdown that shows a text of one line as it is.

    https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
    """
    marked = "".join(_ENTITIES.get(c) or (f"\\{c}" if c in _MARKUP else c) for c in text)
    marked = _START.sub(r"\1\\\2", marked)
    for pattern, apart in _BREAKS:
        marked = pattern.sub(apart, marked)
    return marked


def unescape(text: str) -> str:
    """Return the text that `escape` was given; of other Markdown some text."""
    return _ESCAPED.sub(lambda found: found[1] or _BACK.get(found[0], ""), text)
