"""The workspace file followed while the service runs: read again when it changes, taken over only when it is right.

Looks at the files' times every few seconds, so that it works on every file system that a cluster mounts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from config.workspace import check, secrets
from domain.errors import Problem
from domain.workspace import Workspace

log = logging.getLogger("keyrail")

EVERY = 2.0
"""seconds between two looks"""

Signature = tuple[tuple[str, int, int, int], ...]


def signature(path: Path, workspace: Workspace) -> Signature:
    """Return what tells whether the file, what it includes or a secret file changed: inode, size and time of each."""
    names = [str(path), *(str(path.parent / name) for name in workspace.files)]
    names += [one.source.partition(":")[2] for one in secrets(workspace) if one.source.startswith("file:")]
    seen = []
    for name in dict.fromkeys(names):
        try:
            stat = Path(name).stat()
        except OSError:
            seen.append((name, 0, 0, 0))
        else:
            seen.append((name, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(seen)


async def follow(
    path: Path,
    environ: Mapping[str, str],
    workspace: Workspace,
    adopt: Callable[[Workspace], Awaitable[None]],
    told: Callable[[tuple[Problem, ...]], None],
    *,
    every: float = EVERY,
) -> None:
    """Hand each right version of the file to `adopt`, and what is wrong with a broken one to `told`; never returns.

    A file that is broken, or away for a moment, leaves the version before in force.
    """
    seen = signature(path, workspace)
    while True:
        await asyncio.sleep(every)
        now = await asyncio.to_thread(signature, path, workspace)
        if now == seen:
            continue
        seen = now
        loaded, problems = await asyncio.to_thread(check, path, environ)
        if loaded is None:
            wrong = tuple(problem for problem in problems if problem.severity == "error")
            log.error("The workspace file is broken; the version before stays in force. %s", wrong[0])
            told(wrong)
            continue
        workspace, seen = loaded, signature(path, loaded)
        await adopt(loaded)
        told(())
        log.info("The workspace file changed and is in force: %s", loaded.digest[:12])
