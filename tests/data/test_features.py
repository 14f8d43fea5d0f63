import librosa
import numpy as np
import pytest
import tensorflow as tf

from tfmir.data.audio import decode
from tfmir.data.features import excerpts, log_mel, mel_matrix
from tfmir.params import FeatureParams

PARAMS = FeatureParams()
CLIPS = ["gold_rush.mp3", "hungarian_dance_5.ogg", "lets_go_fishin.ogg", "vibe_ace.ogg"]


def librosa_log_mel(wave):
    mel = librosa.feature.melspectrogram(y=wave, sr=22050, n_fft=1024, hop_length=512, n_mels=128, power=1)
    return np.log10(1 + 10 * mel).T


@pytest.mark.parametrize("samples", [66150, 22050 * 4 + 17, 1024])
def test_equals_librosa_on_noise(samples):
    wave = np.random.default_rng(0).uniform(-1, 1, samples).astype(np.float32)
    ours = log_mel(tf.constant(wave[np.newaxis]), PARAMS)[0].numpy()
    expected = librosa_log_mel(wave)
    assert ours.shape == expected.shape == (1 + samples // 512, 128)
    np.testing.assert_allclose(ours, expected, atol=1e-4)


@pytest.mark.parametrize("name", CLIPS)
def test_equals_librosa_on_real_clips(clips, name):
    """The whole way: our decoder and our log-mel against librosa's of the same 20 s."""
    ours = decode(str(clips / name), sample_rate=22050, max_secs=20.0)
    wave, _ = librosa.load(clips / name, sr=22050, mono=True, duration=20.0)
    np.testing.assert_allclose(ours, wave, atol=1e-6)
    np.testing.assert_allclose(log_mel(tf.constant(ours[np.newaxis]), PARAMS)[0], librosa_log_mel(wave), atol=1e-4)


def test_silence_is_zero():
    assert not log_mel(tf.zeros([2, 4000]), PARAMS).numpy().any()


def test_a_sine_sits_in_its_mel_band():
    """Slaney: 1 kHz is 15 mel, 11 025 Hz is 15 + 27 ln(11.025) / ln(6.4) = 49.9: band 15 / 49.9 * 129 - 1 = 38."""
    seconds = np.arange(22050) / 22050
    bands = log_mel(tf.constant(np.sin(2000 * np.pi * seconds)[np.newaxis], tf.float32), PARAMS)[0].numpy().mean(axis=0)
    assert abs(int(bands.argmax()) - 38) <= 1


def test_three_seconds_are_one_excerpt_of_129_frames():
    assert (PARAMS.excerpt_frames, PARAMS.excerpt_samples) == (129, 66150)
    frames = log_mel(tf.ones([1, 66150]), PARAMS)
    assert excerpts(frames, PARAMS).shape == (1, 1, 129, 128)


def test_excerpts_are_consecutive_and_the_rest_is_dropped():
    frames = tf.range(300, dtype=tf.float32)[tf.newaxis, :, tf.newaxis] * tf.ones([1, 1, 128])
    cut = excerpts(frames, PARAMS).numpy()
    assert cut.shape == (1, 2, 129, 128)
    np.testing.assert_array_equal(cut[0, :, :, 0].ravel(), np.arange(258))


def test_a_short_waveform_is_padded_with_silence():
    cut = excerpts(tf.ones([1, 40, 128]), PARAMS).numpy()
    assert cut.shape == (1, 1, 129, 128)
    assert cut[0, 0, :40].all()
    assert not cut[0, 0, 40:].any()


def test_the_mel_matrix_covers_the_band_up_to_half_the_sample_rate():
    matrix = mel_matrix(PARAMS)
    assert matrix.shape == (513, 128)
    assert (matrix.sum(axis=0) > 0).all()
