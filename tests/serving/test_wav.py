import io
import struct

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfmir.params import FeatureParams
from tfmir.serving.wav import pcm

FEATURES = FeatureParams()


def written(samples, rate=22050, subtype="PCM_16", format="WAV"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=format, subtype=subtype)
    return file.getvalue()


def with_chunk(data, name, content, before=b"data"):
    """The file with one more chunk, which may have an odd length."""
    at = data.index(before)
    chunk = name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    return data[:at] + chunk + data[at:]


def heard(*files):
    flat, begin, channels = pcm(tf.constant(files, tf.string), FEATURES)
    ends = [*begin.numpy().tolist()[1:], len(flat)]
    parts = [flat.numpy()[a:b] for a, b in zip(begin.numpy(), ends, strict=True)]
    return parts, channels.numpy().tolist()


@pytest.fixture
def stereo():
    return np.random.default_rng(0).integers(-32768, 32767, [700, 2]).astype(np.int16)


def test_samples_are_those_that_libsndfile_reads(stereo):
    files = [written(stereo), written(stereo[:, 0]), written(stereo, format="WAVEX")]
    parts, channels = heard(*files)
    assert channels == [2, 1, 2]
    np.testing.assert_array_equal(parts[0].reshape(-1, 2), stereo)
    np.testing.assert_array_equal(parts[1], stereo[:, 0])
    np.testing.assert_array_equal(parts[2].reshape(-1, 2), stereo)


@pytest.mark.parametrize("content", [b"", b"x", b"INFOISFT\x04\0\0\0abc\0", b"data" * 9])
def test_other_chunks_are_passed_over(stereo, content):
    parts, channels = heard(with_chunk(written(stereo), b"LIST", content))
    assert channels == [2]
    np.testing.assert_array_equal(parts[0].reshape(-1, 2), stereo)


def test_a_file_that_is_cut_or_came_through_a_pipe_ends_where_its_bytes_do(stereo):
    whole = written(stereo)
    at = whole.index(b"data") + 4
    piped = whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :]
    parts, channels = heard(whole[:-5], piped)
    assert channels == [2, 2]
    np.testing.assert_array_equal(parts[0].reshape(-1, 2), stereo[:-2])  # a half sample is no sample
    np.testing.assert_array_equal(parts[1].reshape(-1, 2), stereo)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"R",
        b"hello, I am a song",
        b"RIFF\x24\0\0\0WAVE",
        b"RIFF\x24\0\0\0AVI fmt ",
        b"\0" * 1000,
        b"ID3" + b"\xff\xfb\x90\0" * 500,
        b"RIFF\xff\xff\xff\xffWAVEdata\x04\0\0\0\1\0\1\0",  # no format before the samples
        b"RIFF\xff\xff\xff\xffWAVE" + b"junk\0\0\0\0" * 500,
    ],
)
def test_what_is_no_wav_file_has_no_channels_and_harms_no_other(stereo, data):
    parts, channels = heard(data, written(stereo), data)
    assert channels == [0, 2, 0]
    np.testing.assert_array_equal(parts[1].reshape(-1, 2), stereo)
    assert not len(parts[0])
    assert not len(parts[2])


def test_no_files_have_no_samples():
    flat, begin, channels = pcm(tf.constant([], tf.string), FEATURES)
    assert (len(flat), len(begin), len(channels)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ({"rate": 44100}, "1 2 44100 16"),
        ({"subtype": "PCM_24"}, "1 2 22050 24"),
        ({"subtype": "FLOAT"}, "3 2 22050 32"),
    ],
)
def test_another_format_is_refused_with_what_was_found(stereo, kind, found):
    in_graph = tf.function(lambda files: pcm(files, FEATURES), input_signature=[tf.TensorSpec([None], tf.string)])
    with pytest.raises(tf.errors.InvalidArgumentError) as told:
        in_graph([written(stereo), written(stereo / 32768, **kind)])
    assert "expected 16-bit PCM (format 1, 16 bits) at 22050 Hz" in str(told.value)
    assert found in " ".join(str(told.value).replace("[", " ").replace("]", " ").split())
