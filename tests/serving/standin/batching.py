"""Merges requests that wait at the same time into one run, as TensorFlow Serving's batching session does.

Every tensor is padded to the longest of the batch with its own **first value** (batching_util.cc), rows are
concatenated, the outputs cut apart again. A failure of the run is the failure of every request in it.
"""

import dataclasses
import threading

import numpy as np

from tests.serving.standin.failed import Failed
from tests.serving.standin.tensors import invalid


@dataclasses.dataclass(frozen=True)
class BatchingParams:
    """As in TensorFlow Serving's batching parameters file."""

    max_batch_size: int = 8
    batch_timeout_secs: float = 0.02
    allowed_batch_sizes: tuple = ()
    pad_variable_length_inputs: bool = True


class _Batch:
    def __init__(self):
        self.tasks, self.rows = [], 0
        self.is_full, self.is_done = threading.Event(), threading.Event()
        self.outputs, self.failure = [], None


class Batching:
    """`run` with the interface of `SavedModel.run`, in batches of those that wait.

    The first request of a batch waits for others, and runs it. Requests meet that feed and fetch the same tensors.
    `sizes` is how many requests were in each run.
    """

    def __init__(self, model, params):
        self.model, self.params, self.signatures = model, params, model.signatures
        self.lock, self.waiting, self.sizes = threading.Lock(), {}, []

    def close(self):
        self.model.close()

    def run(self, feeds, fetches):
        rows = _rows(feeds)
        if rows > self.params.max_batch_size:
            raise Failed(3, f"Task size {rows} is larger than maximum input batch size {self.params.max_batch_size}")
        key = frozenset(feeds), frozenset(fetches)
        with self.lock:
            batch = self.waiting.get(key)
            leads = batch is None or batch.rows + rows > self.params.max_batch_size
            if leads:
                if batch:
                    batch.is_full.set()
                batch = self.waiting[key] = _Batch()
            start = batch.rows
            batch.tasks.append(feeds)
            batch.rows += rows
            if batch.rows == self.params.max_batch_size:
                batch.is_full.set()
        if leads:
            self._lead(key, batch, fetches)
        batch.is_done.wait()
        if batch.failure:
            raise batch.failure
        return [batch.outputs[name][start : start + rows] for name in fetches]

    def _lead(self, key, batch, fetches):
        batch.is_full.wait(self.params.batch_timeout_secs)
        with self.lock:
            if self.waiting.get(key) is batch:
                del self.waiting[key]
        try:
            self.sizes.append(len(batch.tasks))
            merged = merge(batch.tasks, self._size(batch.rows), pads=self.params.pad_variable_length_inputs)
            found = self.model.run(merged, fetches)
            for array in found:
                if not array.ndim or len(array) != self._size(batch.rows):
                    raise Failed(9, "Batched output tensor's 0th dimension does not equal the sum of the inputs'")
            batch.outputs = dict(zip(fetches, found, strict=True))
        except Failed as failure:
            batch.failure = failure
        except Exception as error:  # or those who wait would wait for ever
            batch.failure = Failed(13, f"{type(error).__name__}: {error}")
        batch.is_done.set()

    def _size(self, rows):
        return next((size for size in self.params.allowed_batch_sizes if size >= rows), rows)


def merge(tasks, size, *, pads):
    """One feed of several: rows padded to the longest, then repeated up to `size` rows."""
    if len(tasks) == 1 and size in {len(array) for array in tasks[0].values()}:
        return tasks[0]
    merged = {}
    for name in tasks[0]:
        arrays = [task[name] for task in tasks]
        if len({array.ndim for array in arrays}) > 1:
            raise invalid(f"tensors of different ranks are merged for {name}")
        if not pads and len({array.shape[1:] for array in arrays}) > 1:
            raise Failed(9, f"Tensors with name '{name}' from different tasks have different shapes")
        longest = np.max([array.shape for array in arrays], axis=0)
        rows = [_padded(array, longest) for array in arrays]
        missing = size - sum(map(len, rows))
        merged[name] = np.concatenate([*rows, *[rows[-1][:1]] * missing])
    return merged


def _padded(array, longest):
    widths = [(0, 0), *((0, most - own) for most, own in zip(longest[1:], array.shape[1:], strict=True))]
    if not any(after for _, after in widths) or not len(array):
        return np.zeros((0, *longest[1:]), array.dtype) if not len(array) else array
    if not array.size:
        raise invalid("Got empty tensor in batch of non-empty tensors.")
    return np.pad(array, widths, constant_values=array.flat[0])


def _rows(feeds):
    if not all(array.ndim for array in feeds.values()):
        raise invalid("Batching Run() input tensors must have at least one dimension")
    sizes = {len(array) for array in feeds.values()}
    if len(sizes) != 1:
        raise invalid("Batching Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()
