"""The demo corpus' instruments: notes and drum hits to samples, NumPy only.

    Note, pitch -> spectrum of harmonics [rows, harmonics] -> wavetable [rows, 1024] -> samples

Harmonic instruments differ in how their spectrum evolves; bells are frequency modulation. A `Patch` holds what
varies from one recording to the next without changing the instrument's name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

SAMPLE_RATE = 22050
_ROW = 512  # samples between two spectra of a note; 23 ms, attacks are shaped sample by sample
_TABLE = 1024  # points of a period: rounding the phase to them stays 50 dB below the fundamental
_MAX_HARMONICS = 48


@dataclasses.dataclass(frozen=True)
class Note:
    """One note: `pitch` in MIDI semitones (69 is 440 Hz), `velocity` a linear gain."""

    start_secs: float
    secs: float
    pitch: int
    velocity: float


@dataclasses.dataclass(frozen=True)
class Hit:
    """One stroke of a drum: `drum` is low, mid or high."""

    start_secs: float
    drum: str
    velocity: float


@dataclasses.dataclass(frozen=True)
class Patch:
    """What varies between two recordings of the same instrument."""

    brightness: float  # added to the exponent of the spectrum's slope
    speed: float  # factor on attack and decay rates
    colour: float  # in [0, 1]: pluck position, vowel, even harmonics or ratio, by instrument
    vibrato_hz: float
    phases: np.ndarray  # complex [harmonics], so that partials do not peak together
    equaliser_db: np.ndarray  # [8], one knot an octave from 60 Hz up

    def gain(self, hz: np.ndarray | float) -> np.ndarray:
        """Linear gain of the part's equaliser at a frequency."""
        octaves = np.log2(np.maximum(hz, 60.0) / 60.0)
        return 10 ** (np.interp(octaves, np.arange(len(self.equaliser_db)), self.equaliser_db) / 20)


@dataclasses.dataclass(frozen=True)
class Timbre:
    """A harmonic instrument."""

    spectrum: Callable[..., np.ndarray]  # (harmonics [1, k], seconds [rows, 1], hz, patch) -> amplitudes [rows, k]
    attack_secs: float = 0.005
    release_secs: float = 0.04
    vibrato: float = 0.0  # depth as a fraction of the frequency
    tremor: float = 0.0  # depth of a wobble in loudness, in [0, 1]
    breath: float = 0.0  # level of noise that follows the tone
    knock: float = 0.0  # level of noise at the tone's beginning
    ensemble: float = 0.0  # relative detuning of a second player
    octaves: int = 0  # transposition: small instruments play higher


def render_notes(instrument: str, notes: Sequence[Note], num_samples: int, rng: np.random.Generator) -> np.ndarray:
    """One part of the music.

    A pitch is synthesised once, as long as its longest note; every note is a copy, cut and faded.

    Args:
      instrument: a key of TIMBRES, or `bells`.
      notes: in any order; what lies past the end is cut off.
      num_samples: length of the part.
      rng: source of the part's patch.

    Returns:
      float32 [num_samples], not normalised.
    """
    patch, part = _random_patch(rng), np.zeros(num_samples, np.float32)
    release_secs = TIMBRES[instrument].release_secs if instrument in TIMBRES else 0.4
    release = int(release_secs * SAMPLE_RATE)
    fade = np.linspace(1, 0, release, dtype=np.float32) ** 2
    for pitch in sorted({note.pitch for note in notes}):
        same = [note for note in notes if note.pitch == pitch]
        longest = int(max(note.secs for note in same) * SAMPLE_RATE) + release
        tone = _tone(instrument, 440.0 * 2.0 ** ((pitch - 69) / 12), longest, patch, rng)
        for note in same:
            start, held = int(note.start_secs * SAMPLE_RATE), int(note.secs * SAMPLE_RATE)
            sound = tone[: held + release] * np.float32(note.velocity)
            sound[held:] *= fade[: len(sound) - held]
            _add(part, sound, start)
    return part


def render_hits(hits: Sequence[Hit], num_samples: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The drum kit: float32 [num_samples] for each of low, mid and high.

    The kit's sound is drawn anew for every track whatever its genre, so that a genre is a pattern of strokes and
    not a spectrum.
    """
    kit = {name: _stroke(dict(zip(_DRUM, ranges, strict=True)), rng) for name, ranges in _KIT.items()}
    parts = {drum: np.zeros(num_samples, np.float32) for drum in kit}
    for hit in hits:
        _add(parts[hit.drum], kit[hit.drum] * np.float32(hit.velocity), int(hit.start_secs * SAMPLE_RATE))
    return parts


def _add(part: np.ndarray, sound: np.ndarray, start: int) -> None:
    end = min(len(part), start + len(sound))
    if end > start:
        part[start:end] += sound[: end - start]


def _random_patch(rng: np.random.Generator) -> Patch:
    return Patch(
        brightness=rng.uniform(-0.25, 0.25),
        speed=np.exp(rng.uniform(-0.3, 0.3)),
        colour=rng.uniform(),
        vibrato_hz=rng.uniform(4.5, 6.5),
        phases=np.exp(2j * np.pi * rng.uniform(size=_MAX_HARMONICS)),
        equaliser_db=rng.normal(0, 3.5, 8),
    )


def _tone(instrument: str, hz: float, num_samples: int, patch: Patch, rng: np.random.Generator) -> np.ndarray:
    if instrument == "bells":
        return _bells(2 * hz, num_samples, patch)
    timbre, seconds = TIMBRES[instrument], np.arange(num_samples) / SAMPLE_RATE
    hz *= 2.0**timbre.octaves
    swing = timbre.vibrato * np.minimum(1, seconds / 0.25) / (2 * np.pi * patch.vibrato_hz)
    cycles = hz * (seconds + swing * np.sin(2 * np.pi * patch.vibrato_hz * seconds))
    table = _wavetable(timbre, hz, num_samples // _ROW + 2, patch)
    tone = _read(table, cycles)
    if timbre.ensemble:
        tone = tone + _read(table, cycles * (1 + timbre.ensemble) + 0.37)
    gain = 1 - np.exp(-seconds * (3 * patch.speed / timbre.attack_secs))
    if timbre.tremor:
        gain *= 1 - timbre.tremor * (0.5 + 0.5 * np.sin(2 * np.pi * (patch.vibrato_hz + 1) * seconds))
    if timbre.breath or timbre.knock:
        loudness = timbre.breath + timbre.knock * np.exp(-seconds / 0.012)
        tone = tone + loudness * rng.standard_normal(num_samples, np.float32)
    return (tone * gain).astype(np.float32)


def _wavetable(timbre: Timbre, hz: float, rows: int, patch: Patch) -> np.ndarray:
    """float32 [rows, 1024]: one period every 23 ms."""
    harmonics = np.arange(1, 1 + max(1, min(_MAX_HARMONICS, int(0.45 * SAMPLE_RATE / hz))))[None, :]
    seconds = np.arange(rows)[:, None] * (_ROW / SAMPLE_RATE)
    fixed = patch.phases[: harmonics.size] * patch.gain(harmonics * hz)
    amplitudes = timbre.spectrum(harmonics, seconds, hz, patch) * fixed  # [rows, k]
    amplitudes = np.pad(amplitudes, [(0, 0), (1, 0)])  # no constant component
    return (np.fft.irfft(amplitudes, _TABLE, axis=1) * (_TABLE / 2)).astype(np.float32)


def _read(table: np.ndarray, cycles: np.ndarray) -> np.ndarray:
    """Reads a wavetable at a phase, crossfading from row to row: float32 [samples]."""
    column = (cycles * _TABLE).astype(np.int64) & (_TABLE - 1)
    row, rest = np.divmod(np.arange(len(cycles)), _ROW)
    cell, weight = row * _TABLE + column, (rest / _ROW).astype(np.float32)
    flat = table.ravel()
    return flat[cell] * (1 - weight) + flat[cell + _TABLE] * weight


def _piano(k: np.ndarray, t: np.ndarray, hz: float, patch: Patch) -> np.ndarray:
    return k ** -(1.3 + patch.brightness) * np.exp(-t * patch.speed * (1.2 + 0.6 * k))


def _guitar(k: np.ndarray, t: np.ndarray, hz: float, patch: Patch) -> np.ndarray:
    """Karplus-Strong in closed form: each round trip of the string filters harmonic k by cos(pi k f / rate)."""
    pluck = np.abs(np.sin(np.pi * k * (0.12 + 0.16 * patch.colour)))
    loss = np.cos(np.pi * np.minimum(0.45, k * hz / SAMPLE_RATE)) * 0.994
    return pluck * k ** -(0.6 + patch.brightness) * loss ** (t * hz * patch.speed)


def _organ(k: np.ndarray, t: np.ndarray, hz: float, patch: Patch) -> np.ndarray:
    return np.isin(k, (1, 2, 3, 4, 6, 8)) * k ** -(0.5 + patch.brightness) * np.ones_like(t)


def _strings(k: np.ndarray, t: np.ndarray, hz: float, patch: Patch) -> np.ndarray:
    return k ** -(1.1 + patch.brightness) * np.ones_like(t)


def _flute(k: np.ndarray, t: np.ndarray, hz: float, patch: Patch) -> np.ndarray:
    return k ** -(2.2 + patch.brightness) * np.where(k % 2, 1.0, 0.4 + patch.colour) * np.ones_like(t)


def _brass(k: np.ndarray, t: np.ndarray, hz: float, patch: Patch) -> np.ndarray:
    opening = (1 - np.exp(-t * patch.speed / 0.12)) * (0.5 + 0.5 * np.exp(-3 * t))
    return np.exp(-k * hz / (250 + 1900 * 2**patch.brightness * opening)) * k**-0.2


def _voice(k: np.ndarray, t: np.ndarray, hz: float, patch: Patch) -> np.ndarray:
    opened = 1 - np.exp(-t * 4 * patch.speed)
    glide = 0.5 * (opened if patch.colour > 0.5 else 1 - opened)
    vowels = ((420, 760), (900, 1400), (2500, 2800))  # formants between "u" and "a", gliding
    size = 2 ** (patch.brightness * 1.2)  # of the singer's throat
    resonance = sum(np.exp(-(((k * hz / size - (a + (b - a) * glide)) / 220) ** 2)) for a, b in vowels)
    return (0.06 + resonance) * k ** -(0.5 + patch.brightness)


def _bass(k: np.ndarray, t: np.ndarray, hz: float, patch: Patch) -> np.ndarray:
    return k ** -(1.6 + 3 * patch.brightness) * np.exp(-t * patch.speed * (1 + 4 * patch.colour))


def _bells(hz: float, num_samples: int, patch: Patch) -> np.ndarray:
    """Frequency modulation at an inharmonic ratio whose index decays (Chowning 1973)."""
    seconds = np.arange(num_samples) / SAMPLE_RATE
    ratio = 1.41 + 2.1 * (patch.colour > 0.5)
    index = (2.0 + 3 * patch.brightness) * np.exp(-3 * patch.speed * seconds)
    phase = 2 * np.pi * hz * seconds
    return (np.sin(phase + index * np.sin(ratio * phase)) * np.exp(-2.5 * patch.speed * seconds)).astype(np.float32)


def _stroke(ranges: Mapping[str, tuple[float, float]], rng: np.random.Generator) -> np.ndarray:
    """One stroke of a drum: a falling tone and band noise, each with a level, a frequency and a decay."""
    draw = {name: rng.uniform(low, high) for name, (low, high) in ranges.items()}
    seconds = np.arange(int(0.3 * SAMPLE_RATE)) / SAMPLE_RATE
    cycles = draw["tone_hz"] * seconds - draw["drop_hz"] * 0.03 * np.exp(-seconds / 0.03)
    tone = np.sin(2 * np.pi * cycles) * np.exp(-seconds / draw["tone_secs"])
    octaves = np.log2(np.maximum(1.0, np.fft.rfftfreq(seconds.size, 1 / SAMPLE_RATE)) / draw["noise_hz"])
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(seconds.size)) * np.exp(-(octaves**2)), seconds.size)
    noise *= np.exp(-seconds / draw["noise_secs"]) / np.std(noise)
    return (draw["tone"] * tone + draw["noise"] * noise).astype(np.float32)


TIMBRES = {
    "piano": Timbre(_piano, knock=0.5),
    "guitar": Timbre(_guitar, attack_secs=0.002),
    "organ": Timbre(_organ, attack_secs=0.012, tremor=0.5),
    "strings": Timbre(_strings, attack_secs=0.2, release_secs=0.15, vibrato=0.006, ensemble=0.006),
    "flute": Timbre(_flute, attack_secs=0.08, vibrato=0.008, tremor=0.3, breath=0.07, octaves=1),
    "brass": Timbre(_brass, attack_secs=0.05, release_secs=0.06),
    "voice": Timbre(_voice, attack_secs=0.1, release_secs=0.08, vibrato=0.015),
    "bass": Timbre(_bass, attack_secs=0.008),
}

_DRUM = ("tone", "tone_hz", "drop_hz", "tone_secs", "noise", "noise_hz", "noise_secs")
_KIT = {
    "low": ((0.8, 1), (45, 75), (60, 220), (0.04, 0.1), (0, 0.4), (1500, 5000), (0.002, 0.005)),
    "mid": ((0.1, 1), (170, 420), (0, 60), (0.02, 0.05), (0.6, 1), (900, 3500), (0.015, 0.07)),
    "high": ((0, 0.1), (2000, 5000), (0, 0), (0.01, 0.1), (0.8, 1), (3500, 8500), (0.012, 0.05)),
}
