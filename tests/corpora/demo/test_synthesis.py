"""Instruments play the pitch, at the time and for as long as asked, and sound unlike one another."""

import numpy as np
import pytest

from tfmir.corpora.demo.demo import NOTIONS
from tfmir.corpora.demo.synthesis import SAMPLE_RATE, Hit, Note, render_hits, render_notes

A3 = 57  # 220 Hz


def play(instrument, *notes, secs=2.0, seed=0):
    return render_notes(instrument, notes, int(secs * SAMPLE_RATE), np.random.default_rng(seed))


def loudness(sound, start_secs, end_secs):
    return float(np.std(sound[int(start_secs * SAMPLE_RATE) : int(end_secs * SAMPLE_RATE)]))


@pytest.mark.parametrize("instrument", [*sorted(set(NOTIONS["instrument"]) - {"bells"}), "bass"])
def test_harmonic_instruments_play_the_pitch(instrument):
    """At least 0.85 of the energy lies within a fifth of 220 Hz of its multiples, which are 0.4 of the axis."""
    spectrum = np.abs(np.fft.rfft(play(instrument, Note(0.0, 1.8, A3, 1.0)))) ** 2
    multiples = np.fft.rfftfreq(2 * SAMPLE_RATE, 1 / SAMPLE_RATE) / 220.0
    near = (np.abs(multiples - np.round(multiples)) < 0.2) & (multiples > 0.5)
    assert spectrum[near].sum() > 0.85 * spectrum.sum()


def test_bells_are_inharmonic():
    spectrum = np.abs(np.fft.rfft(play("bells", Note(0.0, 1.8, A3, 1.0)))) ** 2
    multiples = np.fft.rfftfreq(2 * SAMPLE_RATE, 1 / SAMPLE_RATE) / 220.0
    assert spectrum[np.abs(multiples - np.round(multiples)) > 0.2].sum() > 0.1 * spectrum.sum()


@pytest.mark.parametrize("instrument", NOTIONS["instrument"])
def test_a_note_sounds_from_its_start_to_its_end(instrument):
    sound = play(instrument, Note(0.5, 0.4, A3, 1.0))
    assert np.all(np.isfinite(sound))
    assert np.all(sound[: int(0.5 * SAMPLE_RATE)] == 0)
    assert loudness(sound, 0.5, 0.9) > 0.01
    assert np.all(sound[int(1.35 * SAMPLE_RATE) :] == 0)
    last = np.flatnonzero(sound)[-1]
    assert np.max(np.abs(sound[last - 20 : last + 1])) < 0.01 * np.max(np.abs(sound)), "ends with a click"


def test_notes_past_the_end_are_cut_and_velocity_is_a_gain():
    loud, soft = (play("organ", Note(1.5, 3.0, A3, v), Note(2.5, 1.0, A3, v)) for v in (1.0, 0.5))
    assert loud.shape == (2 * SAMPLE_RATE,)
    np.testing.assert_allclose(soft, 0.5 * loud, atol=1e-6)


@pytest.mark.parametrize(
    ("instrument", "decays"), [("guitar", True), ("piano", True), ("organ", False), ("strings", False)]
)
def test_struck_and_plucked_strings_decay(instrument, decays):
    sound = play(instrument, Note(0.0, 1.8, A3, 1.0))
    assert (loudness(sound, 1.4, 1.8) < 0.5 * loudness(sound, 0.3, 0.6)) == decays


def test_strings_enter_slower_than_guitar():
    early = {
        name: loudness(sound, 0.0, 0.03) / loudness(sound, 0.0, 0.5)
        for name, sound in ((name, play(name, Note(0.0, 1.0, A3, 1.0))) for name in ("strings", "guitar"))
    }
    assert early["strings"] < 0.4 < early["guitar"]


def test_same_instrument_differs_from_recording_to_recording():
    first, again, other = (play("brass", Note(0.0, 1.0, A3, 1.0), seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_drums_sound_when_struck_and_are_ordered_by_pitch():
    hits = [Hit(0.5, drum, 1.0) for drum in ("low", "mid", "high")]
    parts = render_hits(hits, SAMPLE_RATE, np.random.default_rng(0))
    hz, centres = np.fft.rfftfreq(SAMPLE_RATE, 1 / SAMPLE_RATE), []
    for sound in parts.values():
        assert np.all(sound[: SAMPLE_RATE // 2] == 0)
        assert loudness(sound, 0.5, 0.55) > 0.01
        spectrum = np.abs(np.fft.rfft(sound)) ** 2
        centres.append(np.exp(np.sum(np.log(hz[1:]) * spectrum[1:]) / np.sum(spectrum[1:])))
    assert list(parts) == ["low", "mid", "high"]
    assert centres == sorted(centres)
