"""The encoder against the same network in PyTorch: forward, and forward + backward + Adam, in one run.

    pip install 'tfmir[bench]'        # or PyTorch's build for processors alone, from its own index
    python benchmarks/pytorch.py --width=1 --batch=32        # ten interleaved repetitions, medians

Every convolution, normalisation and pooling is there in both, with equally many parameters, which is checked; images
are channels-last in both; both have all threads. PyTorch's Adam is the fused one. In bfloat16 PyTorch trains under
autocast and infers with weights in bfloat16. Where PyTorch is not installed, nothing is measured.

PyTorch gives large tensors back to the system after every step and meets page faults in the next; how many is printed.
Where glibc keeps the memory, there are none: MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=16000000000 python
benchmarks/pytorch.py …
"""

import argparse
import functools
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from tfmir import command

command.set_environment()

import keras
import numpy as np
import tensorflow as tf

import frame
from tfmir.errors import UserError
from tfmir.model.encoder import build_encoder
from tfmir.model.precision import computing_in, learning_step
from tfmir.params import EncoderParams, FeatureParams

try:
    import torch
    from torch import nn
except ImportError:
    print("PyTorch is not installed: nothing to compare with")
    sys.exit(0)

FEATURES = FeatureParams()
LEAST_WIDTH = 0.25
Step = Callable[[], object]


class Convolution(nn.Module):
    """Convolution, normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int, batch_norm: bool):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=not batch_norm)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.05) if batch_norm else nn.Identity()

    def forward(self, x: Any) -> Any:
        """float [batch, channels, height, width] -> the same with other channels."""
        return nn.functional.relu(self.norm(self.convolution(x)), inplace=True)


class Branches(nn.Module):
    """Ways through the same image, side by side."""

    def __init__(self, *branches: Any):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Any) -> Any:
        """float [batch, channels, height, width] -> the branches' channels side by side."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def torch_encoder(params: EncoderParams) -> Any:
    """`model/encoder.py`'s inception, layer by layer."""

    def width(filters: int) -> int:
        return max(1, round(filters * params.width_multiplier))

    def conv(inputs: int, outputs: int, size: int, stride: int = 1) -> Any:
        return Convolution(inputs, width(outputs), size, stride, params.batch_norm)

    def naive(channels: int) -> Any:
        b = nn.Sequential(conv(channels, 64, 1), conv(width(64), 96, 3), conv(width(96), 96, 3, 2))
        return Branches(conv(channels, 48, 1, 2), b, nn.MaxPool2d(3, 2, 1))

    def reduction(channels: int) -> Any:
        b = nn.Sequential(conv(channels, 48, 1), conv(width(48), 64, 5))
        c = nn.Sequential(conv(channels, 64, 1), conv(width(64), 96, 3), conv(width(96), 96, 3))
        d = nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), conv(channels, 32, 1))
        return Branches(conv(channels, 64, 1), b, c, d)

    layers, channels = [conv(1, 64, 5), nn.MaxPool2d(2)], width(64)
    for _ in range(params.blocks):
        channels += width(48) + width(96)
        layers += [naive(channels - width(48) - width(96)), reduction(channels)]
        channels = width(64) + width(64) + width(96) + width(32)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()).to(memory_format=torch.channels_last)


def of_tensorflow(encoder: keras.Model, excerpts: np.ndarray, *, training: bool) -> Step:
    x = tf.constant(excerpts)
    step = tf.function(learning_step(encoder, x) if training else lambda: encoder(x, training=False))
    return lambda: step().numpy()


def of_torch(encoder: Any, excerpts: np.ndarray, *, training: bool, precision: str) -> Step:
    x = torch.from_numpy((excerpts - FEATURES.mean) / FEATURES.deviation)[:, None]
    x = x.to(memory_format=torch.channels_last)
    half = precision == "bfloat16"
    if not training:
        encoder = encoder.eval()
        encoder, x = (encoder.bfloat16(), x.bfloat16()) if half else (encoder, x)

        def run() -> Any:
            with torch.inference_mode():
                return encoder(x).float().numpy()

        return run
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-4, fused=True)

    def learn() -> float:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            loss = encoder(x).float().square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return learn


def compare(given: argparse.Namespace, *, precision: str, training: bool, batch_norm: bool) -> None:
    params = EncoderParams(width_multiplier=given.width, batch_norm=batch_norm)
    excerpts = np.random.default_rng(0).uniform(0, 1, [given.batch, FEATURES.excerpt_frames, FEATURES.num_mels])
    excerpts = excerpts.astype(np.float32)
    with computing_in(precision):
        ours = build_encoder(params, FEATURES)
    theirs = torch_encoder(params)
    counts = [sum(int(np.prod(v.shape)) for v in of) for of in (ours.trainable_variables, theirs.parameters())]
    assert counts[0] == counts[1], f"{counts[0]} parameters in TensorFlow, {counts[1]} in PyTorch"
    steps = {
        "tensorflow": of_tensorflow(ours, excerpts, training=training),
        "pytorch": of_torch(theirs, excerpts, training=training, precision=precision),
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    faults: dict[str, list[int]] = {name: [] for name in steps}
    for repetition in range(given.repetitions + 2):
        for name, step in steps.items():
            start, before = time.perf_counter(), page_faults()
            step()
            if repetition >= 2:  # traced, compiled, warm
                times[name].append(time.perf_counter() - start)
                faults[name].append(page_faults() - before)
    ratio = statistics.median(b / a for a, b in zip(times["tensorflow"], times["pytorch"], strict=True))
    rates = {name: given.batch / statistics.median(of) for name, of in times.items()}
    what = f"{'training' if training else 'forward'}, {precision}, {'with' if batch_norm else 'without'} normalisation"
    print(
        f"{what:45s} {rates['tensorflow']:6.1f} excerpts/s, PyTorch {rates['pytorch']:6.1f}: "
        f"PyTorch takes {ratio:.2f} times as long ({counts[0]:,} parameters; page faults a step "
        f"{statistics.median(faults['tensorflow']):.0f}, PyTorch {statistics.median(faults['pytorch']):.0f})",
        flush=True,
    )


def page_faults() -> int:
    """Of this process, so far, that needed no disk."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def main() -> None:
    parser = frame.parser(__doc__)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--batch", type=frame.positive, default=32)
    parser.add_argument("--repetitions", type=frame.positive, default=10)
    given = parser.parse_args()
    if given.width < LEAST_WIDTH:
        raise UserError(f"--width={given.width:g}: below {LEAST_WIDTH} PyTorch's strided convolutions end the process")
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    print(f"TensorFlow {tf.__version__}, PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    measure = functools.partial(compare, given)
    for precision in ("float32", "bfloat16"):
        for training in (True, False):
            for batch_norm in (True, False):
                measure(precision=precision, training=training, batch_norm=batch_norm)


if __name__ == "__main__":
    frame.run(main)
