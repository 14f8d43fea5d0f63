import io
import wave

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfmir.serving.wav_file import cut_share, wav_bytes

NOISE = np.random.default_rng(0).uniform(-0.9, 0.9, 1001).astype(np.float32)


def test_other_decoders_read_the_same_samples():
    """Rounded to 16 bits: no sample is off by more than half a step, 2**-16."""
    data = wav_bytes(NOISE, sample_rate=22050)
    found, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    assert rate == 22050
    assert np.abs(found - NOISE).max() <= 2**-16
    decoded, _ = tf.audio.decode_wav(data)
    np.testing.assert_array_equal(decoded[:, 0], found)
    with wave.open(io.BytesIO(data)) as file:
        assert file.getparams()[:4] == (1, 2, 22050, 1001)


def test_what_was_decoded_from_16_bits_comes_out_as_it_was():
    written = io.BytesIO()
    soundfile.write(written, NOISE, 22050, format="WAV", subtype="PCM_16")
    decoded, _ = soundfile.read(io.BytesIO(written.getvalue()), dtype="float32")
    assert wav_bytes(decoded, sample_rate=22050) == written.getvalue()


def test_what_is_louder_than_full_scale_is_cut_to_it_and_counted():
    loud = np.float32([2.0, -2.0, 1.0, -1.0, 0.0])
    found = np.frombuffer(wav_bytes(loud, sample_rate=8000)[44:], "<i2")
    assert found.tolist() == [32767, -32768, 32767, -32768, 0]
    assert cut_share(loud) == 0.4
    assert cut_share(loud[:0]) == 0.0


@pytest.mark.parametrize("waveform", [np.zeros([1, 9]), np.array([np.nan]), np.array([np.inf]), np.float32(1)])
def test_what_is_no_waveform_is_refused(waveform):
    with pytest.raises(ValueError, match=r"expected finite numbers of shape \[samples\]"):
        wav_bytes(waveform, sample_rate=22050)


def test_a_waveform_longer_than_a_wav_file_is_refused():
    endless = np.broadcast_to(np.int8(0), [2**31])
    with pytest.raises(ValueError, match="2147483648 samples: a wav file holds 2147483629 at most"):
        wav_bytes(endless, sample_rate=22050)
