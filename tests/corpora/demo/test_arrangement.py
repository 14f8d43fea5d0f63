"""Genres are rhythms and moods are articulations: measured on the notes, before any sound."""

import itertools

import numpy as np
import pytest

from tfmir.corpora.demo.arrangement import GENRES, arrange

ARTICULATED = ("melody", "counter")


def scores(genre, *moods, count=20):
    return [arrange(genre, moods, track_secs=10.0, rng=np.random.default_rng(seed)) for seed in range(count)]


def accents(score, drum):
    return np.array([hit.start_secs for hit in score.hits if hit.drum == drum and hit.velocity >= 0.8])


def melody_steps(score):
    """Semitones from one note of the melody to the next within a bar."""
    notes = score.parts["melody"]
    bars = [round((note.start_secs - score.first_bar_secs) / score.bar_secs - 0.48) for note in notes]
    pairs = zip(notes, notes[1:], bars, bars[1:], strict=False)
    return [after.pitch - before.pitch for before, after, bar, next_bar in pairs if bar == next_bar]


@pytest.mark.parametrize("name", GENRES)
def test_patterns_of_a_genre_fill_the_same_bar(name):
    genre = GENRES[name]
    patterns = [p for part in (genre.low, genre.mid, genre.high, genre.chords, genre.bass) for p in part]
    assert {len(pattern) for pattern in patterns} == {12 if name == "waltz" else 16}
    assert set("".join(patterns)) == {"x", "."}
    assert all("x" in pattern for pattern in patterns)


@pytest.mark.parametrize("name", GENRES)
def test_events_lie_within_the_track_and_are_playable(name):
    for score in scores(name, count=5):
        events = [*score.hits, *(note for part in score.parts.values() for note in part)]
        assert all(0 <= event.start_secs < 10 for event in events)
        assert all(0 < event.velocity <= 1 for event in events)
        assert all(note.secs > 0 and 24 <= note.pitch <= 108 for part in score.parts.values() for note in part)


def test_house_kicks_on_every_beat_and_rock_does_not():
    """Four on the floor: every interval is a beat, a quarter of the bar. Rock's 0, 8, 10 and 0, 6, 8 are uneven."""
    for genre, even in (("house", True), ("rock", False)):
        kicks = [(accents(score, "low"), score.bar_secs) for score in scores(genre)]
        beats = np.concatenate([np.diff(times) / bar_secs * 4 for times, bar_secs in kicks if len(times)])
        assert (np.max(np.abs(beats - 1)) < 0.1) == even


def test_jazz_swings_its_off_beats():
    """In jazz an off-beat falls at two thirds of the beat, in rock at one half."""
    for genre, swing in (("jazz", 0.67), ("rock", 0.5)):
        beats = [(accents(score, "high") - score.first_bar_secs) / score.bar_secs * 4 % 1 for score in scores(genre)]
        off_beats = [beat for beat in np.concatenate(beats) if 0.25 < beat < 0.85]
        np.testing.assert_allclose(off_beats, swing, atol=0.06)


def test_waltz_chords_follow_the_bass_in_threes():
    for score in scores("waltz"):
        beats = [(note.start_secs - score.first_bar_secs) / score.bar_secs * 3 % 3 for note in score.parts["chords"]]
        assert np.min(beats) > 0.9  # never on the first beat, which is the bass'


@pytest.mark.parametrize(("mood", "low", "high"), [("happy", 1, 9), ("sad", -9, -1)])
def test_happy_lines_rise_and_sad_lines_fall(mood, low, high):
    steps = [step for score in scores("rock", mood) for step in melody_steps(score)]
    assert steps
    assert all(low <= step <= high for step in steps)


def test_happy_is_major_and_sad_is_minor():
    """Pitch classes of a major and a natural minor scale: the third above the tonic is 4 or 3 semitones."""
    for mood, intervals in (("happy", {0, 2, 4, 5, 7, 9, 11}), ("sad", {0, 2, 3, 5, 7, 8, 10})):
        for score in scores("rock", mood):
            played = {note.pitch % 12 for note in score.parts["chords"]}
            tonics = [tonic for tonic in range(12) if played <= {(tonic + step) % 12 for step in intervals}]
            assert tonics
    assert scores("rock", "happy")[0].parts["chords"] != scores("rock", "sad")[0].parts["chords"]


def test_articulation_sets_the_length_of_melody_notes():
    lengths = {
        mood: np.mean([note.secs for s in scores("rock", mood) for name in ARTICULATED for note in s.parts[name]])
        for mood in ("playful", "happy", "dreamy")
    }
    assert lengths["playful"] < 0.1 < 1.5 * lengths["playful"] < lengths["happy"]
    assert lengths["dreamy"] > lengths["happy"] + 0.2


def test_nervous_repeats_every_note_about_ten_times_a_second():
    for score in scores("rock", "nervous"):
        for name in ARTICULATED:
            notes = score.parts[name]
            repeated = [b.start_secs - a.start_secs for a, b in itertools.pairwise(notes) if a.pitch == b.pitch]
            assert 0.08 < np.median(repeated) < 0.13


@pytest.mark.parametrize("mood", ["playful", "dreamy", "nervous", "epic"])
def test_moods_leave_drums_bass_and_chords_alone(mood):
    for plain, other in zip(scores("jazz", "happy"), scores("jazz", "happy", mood), strict=True):
        assert plain.hits == other.hits
        assert plain.parts["bass"] == other.parts["bass"]
        assert plain.parts["chords"] == other.parts["chords"]


def test_epic_swells_through_every_bar_and_others_are_level():
    epic, level = scores("house", "epic")[0], scores("house")[0]
    starts = epic.first_bar_secs + epic.bar_secs * np.arange(1, 4)
    assert np.all(epic.gain(starts + 1e-6) < 0.2)
    assert np.all(epic.gain(starts - 1e-6) > 0.99)
    assert np.all(level.gain(np.linspace(0, 10, 50)) == 1)
