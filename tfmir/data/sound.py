"""What a decoder gives, and how it says that it cannot."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Iterator

import numpy as np

MISSING_SHARE = 0.01  # of a file that may be missing at its end; it is used all the same


class AudioError(Exception):
    """A file that cannot be used; the text is the reason, as written to `rejected.tsv`."""


class AudioWarning(UserWarning):
    """A file that is used although something is wrong with it; the text says what."""


@contextlib.contextmanager
def remarks() -> Iterator[list[str]]:
    """Collects the texts of the block's `AudioWarning`s, which are then not shown."""
    found: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AudioWarning)
        yield found
        found += [str(warning.message) for warning in caught if issubclass(warning.category, AudioWarning)]


LEAST_HZ, MOST_HZ = 1000, 768_000
MOST_CHANNELS = 1024


def check_header(rate: int, channels: int) -> None:
    """Refuses a header that nobody means, before anything of the size that it claims is made room for.

    Raises:
      AudioError: says what is claimed, and what is possible.
    """
    if not LEAST_HZ <= rate <= MOST_HZ:
        raise AudioError(f"its header claims {rate} Hz: expected {LEAST_HZ} to {MOST_HZ}")
    if channels > MOST_CHANNELS:
        raise AudioError(f"its header claims {channels} channels: expected {MOST_CHANNELS} at most")


def too_loud(mono: np.ndarray) -> AudioError:
    """What is said of samples whose log-mel overflows."""
    return AudioError(f"too loud for a log-mel: its largest sample is {np.abs(mono).max():.3g}")


class UnopenedError(Exception):
    """A decoder does not know a file's format; the text is its reason. Another one may know it."""


@dataclasses.dataclass(frozen=True)
class Sound:
    """A decoded file.

    Attributes:
      mono: float32 [samples], the mean of the channels.
      rate: Hz.
      promised: samples that its header promises, as many as were wanted at most; None where it promises nothing.
    """

    mono: np.ndarray
    rate: int
    promised: int | None

    @property
    def secs(self) -> float:
        """Seconds of what was decoded."""
        return len(self.mono) / self.rate

    @property
    def missing(self) -> int:
        """Samples that were promised and are not there; 0 if nothing was promised."""
        return max(0, (self.promised or 0) - len(self.mono))


def joined(blocks: list[np.ndarray]) -> np.ndarray:
    """float32 [samples]: blocks of mono samples, of which there may be none."""
    if len(blocks) == 1:
        return blocks[0]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
