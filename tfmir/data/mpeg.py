"""How long an MPEG audio file (mp3) is, whatever its header says: its frames are counted, not decoded.

The header that some encoders write (Xing, Info, VBRI) may be absent, promise too little, or be that of the first of
several files that were put one behind the other; decoders that believe it stop there.
"""

from __future__ import annotations

import dataclasses
import functools

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by version
_VERSION_1 = 3
_KBITS = {  # by (version 1, layer)
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_HEADERS = (b"Xing", b"Info", b"VBRI")
_TAGS = (b"TAG", b"ID3", b"APE")


@dataclasses.dataclass(frozen=True)
class Frame:
    """A frame of an MPEG stream: bytes, samples, and Hz."""

    size: int
    samples: int
    rate: int


@dataclasses.dataclass(frozen=True)
class Length:
    """What the frames of a file are.

    Attributes:
      samples: of all frames together, the header's own one left out.
      rate: Hz.
      has_header: whether the first frame tells a length.
    """

    samples: int
    rate: int
    has_header: bool


def count(data: bytes) -> Length | None:
    """The length of an MPEG stream; None if there are no two frames one behind the other.

    What lies between frames (ID3 and APE tags, damage) is skipped; frames of another sample rate are not counted.
    """
    position, first, samples, has_header = _after_id3(data, 0), None, 0, False
    frame = _frame(data[position : position + 4])
    while position < len(data) - 4:
        after = position + frame.size if frame else 0
        following = _frame(data[after : after + 4]) if frame else None
        ends = following or after >= len(data) - 4 or data[after : after + 3] in _TAGS
        if not frame or (first and frame.rate != first.rate) or not ends:
            position = data.find(b"\xff", _after_id3(data, position + 1))
            if position < 0:
                break
            frame = _frame(data[position : position + 4])
            continue
        if first is None:
            first = frame
            has_header = any(name in data[position:after] for name in _HEADERS)
            samples -= frame.samples if has_header else 0
        samples += frame.samples
        position, frame = after, following
    return Length(samples, first.rate, has_header) if first else None


@functools.lru_cache(maxsize=4096)
def _frame(header: bytes) -> Frame | None:
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    kbits, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version not in _RATES or layer > 3 or not 0 < kbits < 15 or rate > 2:
        return None
    is_1 = version == _VERSION_1
    bits, hertz = _KBITS[is_1, layer][kbits - 1] * 1000, _RATES[version][rate]
    if layer == 1:
        return Frame((12 * bits // hertz + padding) * 4, 384, hertz)
    samples = 1152 if is_1 or layer == 2 else 576
    return Frame(samples // 8 * bits // hertz + padding, samples, hertz)


def _after_id3(data: bytes, position: int) -> int:
    """Where an ID3 tag ends that begins here, if one does: its size is four bytes of seven bits."""
    while data[position : position + 3] == b"ID3" and len(data) >= position + 10:
        size = functools.reduce(lambda total, byte: total << 7 | byte, data[position + 6 : position + 10], 0)
        position += 10 + size
    return position
