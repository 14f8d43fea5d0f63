"""How much memory this machine, or its container, has left."""

from __future__ import annotations

import os
import pathlib

_CGROUP = pathlib.Path("/sys/fs/cgroup")


def free_memory() -> float:
    """Bytes that are free; in a container with a limit, those below it if that is less."""
    try:
        import psutil

        free = float(psutil.virtual_memory().available)
    except ImportError:
        free = float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    try:
        limit, used = (float((_CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
    except (OSError, ValueError):  # no container, or one without a limit
        return free
    return min(free, limit - used)
