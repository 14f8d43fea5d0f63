"""Every era leaves its mark: bandwidth and ticks, wow, reverberation, compression."""

import numpy as np
import pytest

from tfmir.corpora.demo.mastering import ERAS, master
from tfmir.corpora.demo.synthesis import SAMPLE_RATE


def masters(mix, era, count=8):
    return [master(mix.astype(np.float32), era, np.random.default_rng(seed)) for seed in range(count)]


def seconds(secs):
    return np.arange(int(secs * SAMPLE_RATE)) / SAMPLE_RATE


@pytest.mark.parametrize("era", ERAS)
def test_length_and_peak(era):
    for out in masters(np.sin(2 * np.pi * 440 * seconds(1.0)), era):
        assert out.shape == (SAMPLE_RATE,)
        assert out.dtype == np.float32
        assert 0.34 < np.max(np.abs(out)) < 0.99


def test_shellac_is_narrower_than_digital():
    noise, tops = np.random.default_rng(0).standard_normal(2 * SAMPLE_RATE), {}
    for era in ("shellac", "digital"):
        spectra = [np.abs(np.fft.rfft(out)) ** 2 for out in masters(noise, era)]
        energy = np.cumsum(np.mean([s / s.sum() for s in spectra], axis=0))
        tops[era] = np.searchsorted(energy, 0.98) / 2  # Hz: the spectrum has two bins a hertz
    assert tops["shellac"] + 1500 < tops["digital"]


def test_shellac_ticks_in_silence():
    """After the music has ended, a tick stands out of the hiss: 3 to 8 a second, elsewhere at most 1.5."""
    mix, rates = np.sin(2 * np.pi * 440 * seconds(6.0)) * (seconds(6.0) < 1), {}
    for era in ("shellac", "digital"):
        quiet = [np.abs(out[2 * SAMPLE_RATE : 6 * SAMPLE_RATE - 200]) for out in masters(mix, era)]
        peaks = [out[: len(out) // 256 * 256].reshape(-1, 256).max(axis=1) for out in quiet]
        rates[era] = np.mean([np.mean(peak > 3 * np.median(peak)) * SAMPLE_RATE / 256 for peak in peaks])
    assert rates["digital"] < 2 < rates["shellac"] < 12


def test_tape_wavers_in_pitch():
    """A pure tone spreads around its frequency: less of it remains within 1 Hz."""
    tone, purity = np.sin(2 * np.pi * 1000 * seconds(2.0)), {}
    for era in ("tape", "digital"):
        spectra = [np.abs(np.fft.rfft(out)) ** 2 for out in masters(tone, era)]
        purity[era] = np.mean([s[1998:2003].sum() / s[1900:2101].sum() for s in spectra])
    assert purity["tape"] < 0.6 < 0.9 < purity["digital"]


def test_plate_rings_on():
    """Half a second after a burst, the plate's tail is at least 20 dB above a dry recording's."""
    rng, tails = np.random.default_rng(0), {}
    burst = rng.standard_normal(2 * SAMPLE_RATE) * (seconds(2.0) < 0.1)
    for era in ("plate", "digital"):
        outs = masters(burst, era)
        tails[era] = np.median([np.std(out[8000:12000]) / np.std(out[:2205]) for out in outs])
    assert tails["plate"] > 10 * tails["digital"]


def test_digital_is_compressed():
    """Music 20 dB quieter in its first half comes out closer to the second half than on a plate."""
    mix, ratios = np.random.default_rng(0).standard_normal(3 * SAMPLE_RATE), {}
    mix[: SAMPLE_RATE * 3 // 2] *= 0.1
    for era in ("plate", "digital"):
        outs = masters(mix, era)
        ratios[era] = np.mean([np.std(out[4000:30000]) / np.std(out[-26000:]) for out in outs])
    assert ratios["digital"] > 1.5 * ratios["plate"]
