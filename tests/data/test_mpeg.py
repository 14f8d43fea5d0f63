import numpy as np
import pytest

from tfmir.data.mpeg import Length, count

# 11 bits of sync, version 1, layer 3, no checksum; 128 kbit/s, 44 100 Hz, no padding: 144 · 128 000 / 44 100 = 417.
FRAME = b"\xff\xfb\x90\x00" + bytes(413)
PADDED = b"\xff\xfb\x92\x00" + bytes(414)
TAG = b"TAG" + bytes(125)
ID3 = b"ID3\4\0\0\0\0\1\1" + bytes(129)  # 1 · 128 + 1 bytes


@pytest.mark.parametrize(
    ("header", "size", "samples", "rate"),
    [
        (b"\xff\xfb\x90\x00", 417, 1152, 44100),
        (b"\xff\xfb\xb4\x00", 576, 1152, 48000),  # 192 kbit/s: 144 · 192 000 / 48 000
        (b"\xff\xf3\x80\x00", 208, 576, 22050),  # version 2, 64 kbit/s: 72 · 64 000 / 22 050 = 208
        (b"\xff\xe3\x48\x00", 288, 576, 8000),  # version 2.5, 32 kbit/s: 72 · 32 000 / 8 000
        (b"\xff\xfd\xa4\x00", 576, 1152, 48000),  # layer 2, 192 kbit/s: 144 · 192 000 / 48 000
        (b"\xff\xff\x94\x00", 288, 384, 48000),  # layer 1, 288 kbit/s: 48 · 288 000 / 48 000
    ],
)
def test_sizes_by_the_formula_of_the_standard(header, size, samples, rate):
    """ISO/IEC 11172-3, 2.4.3.1: a frame is where the next one begins."""
    frame = header + bytes(size - 4)
    assert count(frame * 5) == Length(5 * samples, rate, False)


@pytest.mark.parametrize(
    ("data", "frames"),
    [
        (FRAME * 3, 3),
        (FRAME + PADDED + FRAME, 3),
        (ID3 + FRAME * 4, 4),
        (ID3 * 2 + FRAME * 4 + TAG, 4),
        (FRAME * 2 + ID3 + FRAME * 3 + TAG, 5),
        (b"junk\xff\xfb" + FRAME * 3 + bytes(777) + FRAME * 2, 4),  # the frame before the damage has none behind it
        (FRAME * 3 + FRAME[:100], 4),  # the last one is cut
    ],
)
def test_what_lies_between_frames_is_skipped(data, frames):
    assert count(data).samples == frames * 1152


@pytest.mark.parametrize(
    "data", [b"", b"\xff", bytes(9000), b"no music " * 99, b"\xff\xfb\x90\x00", b"OggS" + bytes(999)]
)
def test_what_is_no_stream_has_no_length(data):
    found = count(data)
    assert found is None or found.samples <= 1152


@pytest.mark.parametrize("header", [True, False])
def test_the_frames_of_a_real_file_last_as_long_as_its_music(mp3, header):
    """10 s at 22 050 Hz, and at most four frames of delay and padding; the header's own frame is not counted."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 220_500).astype(np.float32)
    found = count(mp3(noise, header=header))
    assert (found.rate, found.has_header) == (22050, header)
    assert 0 <= found.samples - 220_500 <= 4 * 576
