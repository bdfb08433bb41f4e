"""The workspace file and what it includes: found, read and composed, each file once.

Nothing is interpreted here but `include` itself.
"""

from __future__ import annotations

import glob
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from config import nodes
from config.grammar import INCLUDE
from config.nodes import compose
from config.notes import Bad, Notes, Place

MAX_FILES = 1000


@dataclass(slots=True)
class Sources:
    """The files read so far, in order; `roots` are their mappings, `texts` feeds the digest."""

    notes: Notes
    names: list[str] = field(default_factory=list)
    roots: list[nodes.Mapping] = field(default_factory=list)
    hash: hashlib._Hash = field(default_factory=hashlib.sha256)
    seen: set[str] = field(default_factory=set)


def gather(path: Path, notes: Notes) -> Sources:
    """Read the workspace file and all that it includes; what is wrong is noted."""
    sources = Sources(notes)
    _read(os.fspath(path), (), Place(os.fspath(path), 0, ""), sources)
    return sources


def _read(name: str, chain: tuple[str, ...], said: Place, sources: Sources) -> None:
    """Read one file, then its includes. `chain` are the files that led here, `said` where it was named."""
    sources.seen.add(os.path.realpath(name))
    text = _text(name, said, sources.notes)
    if text is None:
        return
    sources.names.append(name)
    sources.hash.update(f"{len(text)}\n".encode())
    sources.hash.update(text.encode("utf-8", "surrogatepass"))
    root = compose(text, name, sources.notes.problems)
    if isinstance(root, nodes.Mapping):
        sources.roots.append(root)
        _includes(root, (*chain, os.path.realpath(name)), sources)
    elif root is not None:
        sources.notes.error(Place(name, root.line, ""), "Expected a mapping with keys such as version and connections.")
    elif not any(problem.file == name for problem in sources.notes.problems):
        message = "The file is empty." + (
            "" if chain else " Run keyrail init in an empty folder to get one to start from."
        )
        sources.notes.error(Place(name, 1, ""), message)


def _text(name: str, said: Place, notes: Notes) -> str | None:
    """Return the text of a file; None after noting why it cannot be read."""
    try:
        if os.path.getsize(name) > nodes.MAX_BYTES:
            notes.error(
                Place(name, 0, ""), f"The file is above {nodes.MAX_BYTES // 1_000_000} MB. Split it with include."
            )
            return None
        raw = Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a file name"
        if said.line:
            notes.error(said, f"The included file {name} cannot be read: {reason}.")
        else:
            hint = "Run keyrail init to write one, or name it with --workspace."
            notes.error(said, f"The workspace file cannot be read: {reason}. {hint}")
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        notes.error(Place(name, line, ""), "Not UTF-8 here. Save the file as UTF-8.")
        return None


def _includes(root: nodes.Mapping, chain: tuple[str, ...], sources: Sources) -> None:
    node = root.values.get("include")
    if node is None:
        return
    patterns = INCLUDE.read(node, "include", Notes({}))
    if isinstance(patterns, Bad):
        return
    folder = os.path.dirname(root.file)
    for i, pattern in enumerate(patterns):
        line = node.items[i].line if isinstance(node, nodes.Listing) and i < len(node.items) else node.line
        said = Place(root.file, line, f"include[{i}]" if isinstance(node, nodes.Listing) else "include")
        wild = glob.has_magic(pattern)
        found = _matches(pattern, folder) if wild else [pattern]
        if not found:
            sources.notes.warning(said, f"No file matches '{pattern}'.")
        for match in found:
            _include(os.path.normpath(os.path.join(folder, match)), wild, chain, said, sources)


def _matches(pattern: str, folder: str) -> list[str]:
    try:
        return sorted(glob.glob(pattern, root_dir=folder or None, recursive=True))
    except (ValueError, OSError):
        return []


def _include(name: str, wild: bool, chain: tuple[str, ...], said: Place, sources: Sources) -> None:
    identity = os.path.realpath(name)
    if identity in chain:
        if not wild:
            files = [os.path.basename(each) for each in (*chain[chain.index(identity) :], identity)]
            sources.notes.error(said, f"The file includes itself: {' -> '.join(files)}. Remove this entry.")
    elif identity not in sources.seen:
        if len(sources.seen) >= MAX_FILES:
            sources.notes.error(said, f"More than {MAX_FILES} files are included.")
            return
        _read(name, chain, said, sources)
