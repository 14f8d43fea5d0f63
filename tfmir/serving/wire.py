"""The messages of TensorFlow Serving's public API that a client needs, and NumPy arrays in them.

They are built when the program runs, in a pool of their own: no TensorFlow is imported, and TensorFlow's own messages
may live in the same process. On the wire they are the same as those of `tensorflow_serving/apis/*.proto` and
`tensorflow/core/{framework,protobuf}/*.proto`; an enumeration is an int32 there, and fields that are not named here
are skipped by who reads them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "tensorflow.serving"
_SCALARS = {
    name: getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{name.upper()}")
    for name in ("int32", "int64", "uint32", "uint64", "float", "double", "bool", "string", "bytes")
}
# Message -> its fields: (number, name, type). `[]` before a type: repeated; `{}`: a map from string.
_MESSAGES: dict[str, tuple[tuple[int, str, str], ...]] = {
    "Dim": ((1, "size", "int64"), (2, "name", "string")),
    "TensorShapeProto": ((2, "dim", "[]Dim"), (3, "unknown_rank", "bool")),
    "TensorProto": (
        (1, "dtype", "int32"),
        (2, "tensor_shape", "TensorShapeProto"),
        (4, "tensor_content", "bytes"),
        (5, "float_val", "[]float"),
        (6, "double_val", "[]double"),
        (7, "int_val", "[]int32"),
        (8, "string_val", "[]bytes"),
        (10, "int64_val", "[]int64"),
        (11, "bool_val", "[]bool"),
        (13, "half_val", "[]int32"),
    ),
    "Int64Value": ((1, "value", "int64"),),  # google.protobuf's
    "Any": ((1, "type_url", "string"), (2, "value", "bytes")),  # google.protobuf's
    "TensorInfo": ((1, "name", "string"), (2, "dtype", "int32"), (3, "tensor_shape", "TensorShapeProto")),
    "SignatureDef": ((1, "inputs", "{}TensorInfo"), (2, "outputs", "{}TensorInfo"), (3, "method_name", "string")),
    "SignatureDefMap": ((1, "signature_def", "{}SignatureDef"),),
    "ModelSpec": (
        (1, "name", "string"),
        (2, "version", "Int64Value"),
        (3, "signature_name", "string"),
        (4, "version_label", "string"),
    ),
    "PredictRequest": (
        (1, "model_spec", "ModelSpec"),
        (2, "inputs", "{}TensorProto"),
        (3, "output_filter", "[]string"),
    ),
    "PredictResponse": ((1, "outputs", "{}TensorProto"), (2, "model_spec", "ModelSpec")),
    "GetModelMetadataRequest": ((1, "model_spec", "ModelSpec"), (2, "metadata_field", "[]string")),
    "GetModelMetadataResponse": ((1, "model_spec", "ModelSpec"), (2, "metadata", "{}Any")),
    "GetModelStatusRequest": ((1, "model_spec", "ModelSpec"),),
    "ModelVersionStatus": ((1, "version", "int64"), (2, "state", "int32")),
    "GetModelStatusResponse": ((1, "model_version_status", "[]ModelVersionStatus"),),
}
# ModelVersionStatus.state of a version that answers.
AVAILABLE = 30


def _add_field(message: Any, number: int, name: str, kind: str) -> None:
    field = message.field.add(number=number, name=name)
    field.label = field.LABEL_REPEATED if kind[:2] in ("[]", "{}") else field.LABEL_OPTIONAL
    if kind.startswith("{}"):  # on the wire a map is a list of entries
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _add_field(entry, 1, "key", "string")
        _add_field(entry, 2, "value", kind[2:])
        field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{message.name}.{entry.name}"
        return
    kind = kind.removeprefix("[]")
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"


def _built() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="tfmir/serving/wire.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            _add_field(message, number, field, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES
    }


_CLASSES = _built()
TensorProto = _CLASSES["TensorProto"]
ModelSpec = _CLASSES["ModelSpec"]
PredictRequest = _CLASSES["PredictRequest"]
PredictResponse = _CLASSES["PredictResponse"]
SignatureDefMap = _CLASSES["SignatureDefMap"]
GetModelMetadataRequest = _CLASSES["GetModelMetadataRequest"]
GetModelMetadataResponse = _CLASSES["GetModelMetadataResponse"]
GetModelStatusRequest = _CLASSES["GetModelStatusRequest"]
GetModelStatusResponse = _CLASSES["GetModelStatusResponse"]

_STRING, _HALF = 7, 19
# DataType -> NumPy's, and the field that holds such values where they are not in `tensor_content`.
_TYPES: dict[int, tuple[np.dtype[Any], str]] = {
    1: (np.dtype(np.float32), "float_val"),
    2: (np.dtype(np.float64), "double_val"),
    3: (np.dtype(np.int32), "int_val"),
    9: (np.dtype(np.int64), "int64_val"),
    10: (np.dtype(np.bool_), "bool_val"),
    _HALF: (np.dtype(np.float16), "half_val"),
}
_NUMBERS = {dtype: number for number, (dtype, _) in _TYPES.items()}


def to_tensor(values: np.ndarray | Sequence[bytes]) -> Any:
    """A TensorProto of an array, or of a list of byte strings.

    Args:
      values: float16/32/64, int32/64 or bool, of any shape; or byte strings [batch].

    Raises:
      TypeError: an array of another dtype.

    >>> to_tensor(np.float32([[1, 2]])).tensor_shape.dim[1].size
    2
    """
    if not isinstance(values, np.ndarray):
        tensor = TensorProto(dtype=_STRING, string_val=values)
        tensor.tensor_shape.dim.add(size=len(values))
        return tensor
    if values.dtype not in _NUMBERS:
        raise TypeError(f"no tensor of {values.dtype}: expected one of {', '.join(map(str, _NUMBERS))}")
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    tensor = TensorProto(dtype=_NUMBERS[values.dtype], tensor_content=little.tobytes())
    for size in values.shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


def to_array(tensor: Any) -> np.ndarray:
    """The array of a TensorProto; strings are an array of bytes objects.

    TensorFlow Serving answers in the typed fields unless it is told otherwise; a list that is shorter than the shape
    stands for its last value repeated.

    Raises:
      ValueError: a dtype that is not in the table, or another number of values than the shape says.
    """
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.dtype == _STRING:
        flat = np.empty(len(tensor.string_val), object)
        flat[:] = list(tensor.string_val)
        return _filled(flat, shape)
    if tensor.dtype not in _TYPES:
        raise ValueError(f"a tensor of DataType {tensor.dtype}: expected one of {sorted([*_TYPES, _STRING])}")
    dtype, field = _TYPES[tensor.dtype]
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, dtype.newbyteorder("<")).astype(dtype).reshape(shape)
    values = getattr(tensor, field)
    if tensor.dtype == _HALF:  # their bits
        return _filled(np.array(values, np.uint16).view(np.float16), shape)
    return _filled(np.array(values, dtype), shape)


def _filled(values: np.ndarray, shape: list[int]) -> np.ndarray:
    missing = math.prod(shape) - len(values)
    if missing < 0 or (missing and not len(values)):
        raise ValueError(f"a tensor of shape {shape} with {len(values)} values")
    return np.concatenate([values, np.repeat(values[-1:], missing)]).reshape(shape)
