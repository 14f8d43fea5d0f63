"""TensorProtos and JSON values to arrays and back, as TensorFlow Serving reads and writes them.

Answers are in the typed fields (`float_val`, …), which is TensorFlow Serving's default, not in `tensor_content`.
"""

import base64
import math

import numpy as np

from tests.serving.standin.failed import DTYPES, NUMBERS, STRING, Failed
from tests.serving.standin.messages import TensorProto

INVALID_ARGUMENT = 3
_FIELDS = {
    1: "float_val", 2: "double_val", 3: "int_val", 4: "int_val", 5: "int_val", 6: "int_val", 7: "string_val",
    9: "int64_val", 10: "bool_val", 17: "int_val", 19: "half_val", 22: "uint32_val", 23: "uint64_val",
}  # fmt: skip


def invalid(message):
    return Failed(INVALID_ARGUMENT, message)


def to_array(name, tensor):
    """Raises `Failed` for what is no tensor."""
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.dtype not in _FIELDS or min(shape, default=0) < 0:
        raise invalid(f"tensor parsing error: {name}")
    if tensor.tensor_content and tensor.dtype != STRING:
        flat = np.frombuffer(tensor.tensor_content, DTYPES[tensor.dtype])
    else:
        flat = _typed(tensor)
        missing = math.prod(shape) - len(flat)
        flat = np.concatenate([flat, np.repeat(flat[-1:], max(0, missing))])  # a short list ends in its last value
    if flat.size != math.prod(shape):
        raise invalid(f"tensor parsing error: {name}")
    return flat.reshape(shape)


def _typed(tensor):
    values = getattr(tensor, _FIELDS[tensor.dtype])
    if tensor.dtype == STRING:
        return objects(values)
    if DTYPES[tensor.dtype] == np.float16:
        return np.array(values, np.uint16).view(np.float16)
    return np.array(values, DTYPES[tensor.dtype])


def objects(values):
    """An object array [n] of anything, without NumPy looking into it."""
    array = np.empty(len(values), object)
    array[:] = list(values)
    return array


def to_proto(array):
    tensor = TensorProto(dtype=STRING if array.dtype == object else NUMBERS[array.dtype])
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    values = array.view(np.uint16) if array.dtype == np.float16 else array
    getattr(tensor, _FIELDS[tensor.dtype]).extend(values.ravel().tolist())
    return tensor


def from_json(value, number):
    """The array that a JSON value stands for: lists of one length, strings as text or `{"b64": …}`."""
    shape, level = [], value
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
    flat = []
    _flatten(value, shape, 0, number, flat)
    return (objects(flat) if number == STRING else np.array(flat, DTYPES[number])).reshape(shape)


def _flatten(value, shape, level, number, flat):
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {value!s:.99} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {len(shape)}"
            )
        flat.append(_scalar(value, number))
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    if level == len(shape) - 1 and number != STRING and all(type(item) in (int, float) for item in value):
        if number not in (1, 2) and not all(type(item) is int for item in value):
            raise invalid(f"JSON Value: {value!s:.99} is not of expected type: {DTYPES[number].__name__}")
        flat.extend(value)  # the same for millions of samples, without a call for each
        return
    for item in value:
        _flatten(item, shape, level + 1, number, flat)


def _scalar(value, number):
    if number == STRING:
        if is_base64(value):
            try:
                return base64.b64decode(value["b64"], validate=True)
            except ValueError as error:
                raise invalid("Unable to base64 decode") from error
        if isinstance(value, str):
            return value.encode()
    elif number == 10:
        if isinstance(value, bool):
            return value
    elif type(value) is int or (number in (1, 2) and type(value) is float):
        return value
    raise invalid(f"JSON Value: {value!s:.99} is not of expected type: {DTYPES.get(number, bytes).__name__}")


def is_base64(value):
    return isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)


def as_json(name, array):
    """Nested lists; of an output whose name ends in `_bytes`, base64."""
    if array.dtype != object:
        return array.tolist()
    if name.endswith("_bytes"):
        encoded = [{"b64": base64.b64encode(value).decode()} for value in array.ravel()]
    else:
        encoded = [value.decode(errors="replace") for value in array.ravel()]
    return objects(encoded).reshape(array.shape).tolist()
