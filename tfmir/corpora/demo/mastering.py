"""The demo corpus' studio: an era to bandwidth, noise, saturation, compression and room.

Eras overlap in bandwidth and level on purpose; what tells them apart for certain is in time: the ticks of a
record, wow and slap-back of a tape machine, a long plate, the pumping of a compressor.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfmir.corpora.demo.synthesis import SAMPLE_RATE

_BLOCK = 256  # samples between two values of the compressor's gain: 12 ms


@dataclasses.dataclass(frozen=True)
class Era:
    """Ranges from which a recording of the era draws; `(low, high)`, uniform unless said otherwise."""

    low_hz: tuple[float, float]  # bandwidth, drawn on a logarithmic scale
    high_hz: tuple[float, float]
    hiss_db: tuple[float, float]  # below the music
    ticks_per_sec: tuple[float, float] = (0, 1.5)
    drive: tuple[float, float] = (0.3, 2.0)  # saturation
    wow: tuple[float, float] = (0, 0)  # deviation of the speed
    pumping: tuple[float, float] = (0, 0.3)  # exponent of the compressor
    echo: tuple[float, float] = (0, 0)  # level of one repeat after about 0.12 s
    room_secs: tuple[float, float] = (0.1, 0.5)
    wet: tuple[float, float] = (0.0, 0.4)


ERAS = {
    "shellac": Era(
        low_hz=(60, 220), high_hz=(4000, 8000), hiss_db=(-48, -36), ticks_per_sec=(3, 8), room_secs=(0.1, 0.6)
    ),
    "tape": Era(low_hz=(40, 150), high_hz=(4800, 9000), hiss_db=(-50, -37), wow=(0.002, 0.008), echo=(0.15, 0.45)),
    "plate": Era(low_hz=(30, 120), high_hz=(6000, 10500), hiss_db=(-60, -42), room_secs=(0.7, 1.4), wet=(0.3, 0.7)),
    "digital": Era(low_hz=(25, 80), high_hz=(7500, 11000), hiss_db=(-65, -46), pumping=(0.4, 0.8)),
}


def master(mix: np.ndarray, era: str, rng: np.random.Generator) -> np.ndarray:
    """Makes a mix sound as if recorded in an era.

    The recording's equaliser and level are drawn without regard to the era.

    Args:
      mix: float32 [samples], any level.
      era: a key of ERAS.
      rng: source of the recording's parameters and noise.

    Returns:
      float32 [samples], peak between 0.35 and 0.98.
    """
    ranges = ERAS[era]
    draw = {f.name: rng.uniform(*getattr(ranges, f.name)) for f in dataclasses.fields(ranges)}
    music = mix / (np.sqrt(np.mean(mix**2)) + 1e-9)  # unit loudness: drive and noise are relative to it
    if draw["wow"]:
        music = _wow(music, draw["wow"], rng)
    music = np.tanh(music * draw["drive"] * 0.5) / draw["drive"]
    music = _compress(music, draw["pumping"])
    music = music / (np.sqrt(np.mean(music**2)) + 1e-9)
    noise = _noise(music.size, draw["hiss_db"], draw["ticks_per_sec"], rng)

    size = 1 << int(np.ceil(np.log2(music.size + SAMPLE_RATE)))  # room for the reverberation: no wrapping round
    response = np.fft.rfft(_room(draw["room_secs"], draw["wet"], draw["echo"], rng), size)
    spectrum = np.fft.rfft(music, size) * response + np.fft.rfft(noise, size)
    spectrum *= _band(size, ranges, rng) * _equaliser(size, rng)
    out = np.fft.irfft(spectrum, size)[: music.size]
    peak = 0.98 * 10 ** (-rng.uniform(0, 9) / 20)
    return (out * (peak / np.max(np.abs(out)))).astype(np.float32)


def _equaliser(size: int, rng: np.random.Generator) -> np.ndarray:
    """A random smooth curve over log-frequency, about +-6 dB: float64 [size // 2 + 1] linear gains."""
    octaves = np.log2(np.maximum(20.0, np.fft.rfftfreq(size, 1 / SAMPLE_RATE)) / 20.0)
    knots = np.linspace(0, octaves[-1], 6)
    return 10 ** (np.interp(octaves, knots, rng.normal(0, 5, knots.size)) / 20)


def _band(size: int, ranges: Era, rng: np.random.Generator) -> np.ndarray:
    """Magnitude of a band-pass of third order: float64 [size // 2 + 1]."""
    low = np.exp(rng.uniform(*np.log(ranges.low_hz)))
    high = np.exp(rng.uniform(*np.log(ranges.high_hz)))
    hz = np.maximum(1.0, np.fft.rfftfreq(size, 1 / SAMPLE_RATE))
    return 1 / np.sqrt((1 + (low / hz) ** 6) * (1 + (hz / high) ** 8))


def _wow(music: np.ndarray, depth: float, rng: np.random.Generator) -> np.ndarray:
    """Plays at a speed that wavers by `depth` about twice a second."""
    rate_hz, at = rng.uniform(1.5, 3.0), np.arange(music.size)
    shift = depth * SAMPLE_RATE / (2 * np.pi * rate_hz)
    return np.interp(at + shift * np.sin(2 * np.pi * rate_hz * at / SAMPLE_RATE), at, music)


def _compress(music: np.ndarray, amount: float) -> np.ndarray:
    """Divides by the loudness to the power `amount`; the gain falls at once and recovers in 0.15 s."""
    blocks = -(-music.size // _BLOCK)
    padded = np.pad(music, (0, blocks * _BLOCK - music.size)).reshape(blocks, _BLOCK)
    loudness = np.sqrt(np.mean(padded**2, axis=1)) + 0.02
    keep, held = np.exp(-_BLOCK / SAMPLE_RATE / 0.15), 0.0
    envelope = np.empty(blocks)
    for block, now in enumerate(loudness):
        held = max(now, held * keep)
        envelope[block] = held
    at = np.arange(music.size) / _BLOCK
    return music * np.interp(at, np.arange(blocks), envelope**-amount)


def _noise(num_samples: int, hiss_db: float, ticks_per_sec: float, rng: np.random.Generator) -> np.ndarray:
    """Hiss, and a record's ticks: bursts of a few samples."""
    noise = rng.standard_normal(num_samples, np.float32) * np.float32(10 ** (hiss_db / 20))
    ticks = rng.integers(0, num_samples - 8, rng.poisson(ticks_per_sec * num_samples / SAMPLE_RATE))
    for tick in ticks:
        noise[tick : tick + 6] += rng.choice((-1, 1)) * rng.exponential(1.3)
    return noise


def _room(secs: float, wet: float, echo: float, rng: np.random.Generator) -> np.ndarray:
    """Impulse response, at most a second: the sound, one repeat, and a tail of unit energy times `wet`."""
    length = min(SAMPLE_RATE, int(secs * SAMPLE_RATE))
    tail = rng.standard_normal(length) * np.exp(-6.9 * np.arange(length) / (secs * SAMPLE_RATE))
    response = np.zeros(SAMPLE_RATE)
    response[:length] = tail * (wet / np.sqrt(np.sum(tail**2)))
    response[0] += 1
    response[int(rng.uniform(0.1, 0.14) * SAMPLE_RATE)] += echo
    return response
