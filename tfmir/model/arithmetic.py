"""Numbers of half as many bits as float32: where a machine computes with them, and what a rounding to them costs."""

from __future__ import annotations

import math
import pathlib

import tensorflow as tf

# What one rounding changes at most, as a share: half the distance from 1 to the next number.
ROUNDING = {"float32": 2.0**-24, "bfloat16": 2.0**-8, "float16": 2.0**-11}
_CPU_WORDS = {"avx512_bf16", "amx_bf16", "bf16"}  # x86's and ARM's names in Linux' /proc/cpuinfo
_BFLOAT16_GPU, _FLOAT16_GPU = (8, 0), (7, 0)  # compute capabilities


def faster_than_float32() -> str:
    """bfloat16 or float16, where a GPU or the processor has arithmetic of its own for it; else empty."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        able = min(tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) for gpu in gpus)
        return "bfloat16" if able >= _BFLOAT16_GPU else "float16" if able >= _FLOAT16_GPU else ""
    try:
        words = set(pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:  # another system than Linux
        return ""
    return "bfloat16" if words & _CPU_WORDS else ""


def largest_difference(precision: str, layers: int) -> float:
    """How far what a network gives may be from the exact, as a share of its norm: three standard deviations.

    Every layer rounds its weights and what it hands on, each by `ROUNDING` of it at most, evenly: a variance of a third
    of its square. They are independent, and add up. What a ReLU and a normalisation leave of a layer's sums is taken
    for half of their norm, so that the share is twice as large.

    Args:
      precision: of the arithmetic.
      layers: one behind the other.
    """
    return ROUNDING[precision] * 2.0 * 3.0 * math.sqrt(2 * layers / 3.0)
