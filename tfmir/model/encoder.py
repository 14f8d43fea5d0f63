"""The encoders: `inception` of the paper's authors (ICASSP 2020, arXiv 2008.03720, section 3), and `statistics`.

    log-mel [batch, 129, 128] -> z-score -> stem -> 6 x (naive, dimension reduction) -> average -> [batch, channels]
    log-mel [batch, 129, 128] -> z-scored statistics over time -> dense -> dense                -> [batch, channels]

Facts of the first are theirs, the code is ours; the second is a baseline, and a bench on which a loss is tried in a
minute. Sizes in the comments are those of width 1.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from tfmir.model.layers import ZScore
from tfmir.model.normalization import BatchNorm
from tfmir.model.statistics import StatisticsOverTime
from tfmir.params import EncoderParams, FeatureParams


def build_encoder(params: EncoderParams, features: FeatureParams) -> keras.Model:
    """What every system has under its embedding.

    Args:
      params: which encoder, its width, and whether batch normalisation follows every layer.
      features: size of an excerpt and its z-score.

    Returns:
      A model: log-mel float32 [batch, frames, mels], before the z-score -> float [batch, channels],
      256 channels at width 1.
    """
    build = _Builder(params)
    inputs = keras.Input((features.excerpt_frames, features.num_mels), name="log_mel")
    constants = {"mean": features.mean, "deviation": features.deviation}
    if params.encoder == "statistics":
        outputs = build.statistics(StatisticsOverTime(**constants, name="statistics")(inputs))
    else:
        outputs = build.inception(ZScore(**constants, name="z_score")(inputs))
    return keras.Model(inputs, outputs, name="encoder")


class _Builder:
    """Functional pieces that share the encoder's width and normalisation."""

    def __init__(self, params: EncoderParams):
        self.params = params

    def inception(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """The paper's stem and pairs of modules: 129 x 128 x 1 -> 256."""
        x = self.conv(x, 64, 5, name="stem")  # 129 x 128 x 64
        x = layers.MaxPooling2D(2, name="stem_pool")(x)  # 64 x 64 x 64
        for block in range(1, self.params.blocks + 1):  # 64 -> 32 -> 16 -> 8 -> 4 -> 2 -> 1
            x = self.naive(x, f"block{block}_naive")
            x = self.dimension_reduction(x, f"block{block}_reduce")  # 256 channels
        return layers.GlobalAveragePooling2D(name="average")(x)

    def statistics(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Two dense layers: 384 -> 256 -> 256."""
        for name in ("dense1", "dense2"):
            x = self._finished(layers.Dense(self._width(256), **self._options(), name=name)(x), name)
        return x

    def conv(self, x: keras.KerasTensor, filters: int, size: int, *, name: str, strides: int = 1) -> keras.KerasTensor:
        """Convolution ('same', He-uniform), normalisation if switched on, ReLU."""
        options = self._options() | {"strides": strides, "padding": "same"}
        return self._finished(layers.Conv2D(self._width(filters), size, **options, name=name)(x), name)

    def naive(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        """1x1 48 (stride 2) | 1x1 64 -> 3x3 96 -> 3x3 96 (stride 2) | max-pool 3x3 (stride 2)."""
        # A 1x1 convolution of stride 2, written as "drop every other row and column, then convolve": the same
        # function, but oneDNN's filter gradient of the strided form corrupts memory at small widths.
        a = layers.MaxPooling2D(1, strides=2, name=f"{name}_a0")(x)
        a = self.conv(a, 48, 1, name=f"{name}_a1")
        b = self.conv(x, 64, 1, name=f"{name}_b1")
        b = self.conv(b, 96, 3, name=f"{name}_b2")
        b = self.conv(b, 96, 3, strides=2, name=f"{name}_b3")
        c = layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_c1")(x)
        return layers.Concatenate(name=name)([a, b, c])

    def dimension_reduction(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        """1x1 64 | 1x1 48 -> 5x5 64 | 1x1 64 -> 3x3 96 -> 3x3 96 | avg-pool 3x3 -> 1x1 32: 256 channels."""
        a = self.conv(x, 64, 1, name=f"{name}_a1")
        b = self.conv(x, 48, 1, name=f"{name}_b1")
        b = self.conv(b, 64, 5, name=f"{name}_b2")
        c = self.conv(x, 64, 1, name=f"{name}_c1")
        c = self.conv(c, 96, 3, name=f"{name}_c2")
        c = self.conv(c, 96, 3, name=f"{name}_c3")
        d = layers.AveragePooling2D(3, strides=1, padding="same", name=f"{name}_d1")(x)
        d = self.conv(d, 32, 1, name=f"{name}_d2")
        return layers.Concatenate(name=name)([a, b, c, d])

    def _width(self, filters: int) -> int:
        return max(1, round(filters * self.params.width_multiplier))

    def _options(self) -> dict[str, Any]:
        """Of every layer with weights; the normalisation's offset takes the bias' place."""
        return {"kernel_initializer": "he_uniform", "use_bias": not self.params.batch_norm}

    def _finished(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        if self.params.batch_norm:
            x = BatchNorm(name=f"{name}_norm")(x)
        return layers.ReLU(name=f"{name}_relu")(x)
