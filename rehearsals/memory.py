"""How much memory a command and its children take, for the rehearsals."""

import time

import psutil


def watch_memory(pid: int, peaks: list[int]) -> None:
    """Appends the most bytes of any one process, until the command has ended."""
    while psutil.pid_exists(pid):
        try:
            everyone = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            peaks.append(max(process.memory_info().rss for process in everyone))
        except psutil.Error:
            return
        time.sleep(0.1)
