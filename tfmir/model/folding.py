"""A trained system without its normalisation: the same function, whose convolutions carry scale and offset themselves.

    normalised: scale · (x * w − mean) / √(variance + ε) + offset
    folded:     x * (w · factor) + (offset − mean · factor),   factor = scale / √(variance + ε)

In float32 TensorFlow fuses the two by itself, and nothing is gained. In bfloat16 it does not, and the normalisation
costs as much as the convolutions at a quarter of the width (BUILD_NOTES.md, "Precision").
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfmir.model.build import build_system
from tfmir.model.system import System


def for_inference(system: System, precision: str) -> System:
    """The system that computes in a precision: itself in float32, else folded."""
    return system if precision == "float32" else folded(system, precision=precision)


def folded(system: System, *, precision: str) -> System:
    """The same system for inference, without normalisation.

    Args:
      system: with trained weights; it is left as it is.
      precision: of the new one's arithmetic.
    """
    encoder = system.params.encoder
    bare = build_system(
        dataclasses.replace(system.params, encoder=encoder.without_normalisation),
        system.vocabulary,
        precision=precision,
    )
    if not encoder.batch_norm:
        bare.set_weights(system.get_weights())
        return bare
    for theirs, ours in zip(system.layers, bare.layers, strict=True):
        if ours is not bare.encoder:
            ours.set_weights(theirs.get_weights())
    for layer in bare.encoder.layers:
        if layer.weights:
            norm = system.encoder.get_layer(f"{layer.name}_norm")
            scale, offset, mean, variance = (
                np.asarray(of, np.float64) for of in (norm.scale, norm.offset, norm.moving_mean, norm.moving_variance)
            )
            factor = scale / np.sqrt(variance + norm.epsilon)
            (kernel,) = system.encoder.get_layer(layer.name).get_weights()
            layer.set_weights([kernel * factor, offset - mean * factor])
    return bare
