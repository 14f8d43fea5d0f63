"""Decodes in a process of its own, so that a file which crashes its decoder takes nothing else with it."""

from __future__ import annotations

import signal
import subprocess
import sys
import warnings

import numpy as np

from tfmir.data.audio import AudioError, AudioWarning, decode, local_copy, remarks

_MEMORY_BYTES = 4 << 30
_TIMEOUT_SECS = 900
_REJECTED = 3
_REMARK = "remark: "


def decode_isolated(path: str, *, sample_rate: int, max_secs: float) -> np.ndarray:
    """As `audio.decode`, in a child process with a limit of memory and time; half a second slower.

    Raises:
      AudioError: as `audio.decode`, or the child crashed, ran out of memory or did not end.
    """
    with local_copy(path) as name:  # the child decodes and does nothing else: a remote store has crashes of its own
        call = [sys.executable, "-m", __name__, name, str(sample_rate), str(max_secs)]
        try:
            child = subprocess.run(call, capture_output=True, timeout=_TIMEOUT_SECS, check=False)
        except subprocess.TimeoutExpired as error:
            raise AudioError(f"decoding does not end: given up after {_TIMEOUT_SECS} s") from error
    reason = child.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
    if child.returncode == _REJECTED:
        raise AudioError(reason[-1])
    if child.returncode < 0:
        killer = signal.Signals(-child.returncode).name
        raise AudioError(f"kills the process that decodes it ({killer}): tried twice")
    if child.returncode:
        raise AudioError(f"decoding failed: {reason[-1]}")
    for line in reason:
        if line.startswith(_REMARK):
            warnings.warn(line.removeprefix(_REMARK), AudioWarning, stacklevel=2)
    return np.frombuffer(child.stdout, np.float32)


def _main(path: str, sample_rate: str, max_secs: str) -> None:
    _limit_memory()
    try:
        with remarks() as said:
            waveform = decode(path, sample_rate=int(sample_rate), max_secs=float(max_secs))
    except AudioError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        sys.exit(_REJECTED)
    for remark in said:
        print(f"{_REMARK}{remark}", file=sys.stderr)
    sys.stdout.buffer.write(waveform.tobytes())


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))


if __name__ == "__main__":
    _main(*sys.argv[1:])
