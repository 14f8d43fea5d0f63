import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import any_pb2, wrappers_pb2
from google.protobuf.descriptor import FieldDescriptor
from tensorflow.core.framework import tensor_shape_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from tests.serving.standin import messages
from tfmir.serving import wire

PUBLISHED = {
    "Dim": tensor_shape_pb2.TensorShapeProto.Dim,
    "TensorShapeProto": tensor_shape_pb2.TensorShapeProto,
    "Int64Value": wrappers_pb2.Int64Value,
    "Any": any_pb2.Any,
    "TensorInfo": meta_graph_pb2.TensorInfo,
    "SignatureDef": meta_graph_pb2.SignatureDef,
}
ARRAYS = [
    np.float32([[1.5, -2], [np.inf, 0]]),
    np.float64([1e300]),
    np.float16([[0.5], [-3]]),
    np.int32([[7, -7, 2**31 - 1]]),
    np.int64([-(2**62)]),
    np.array([True, False]),
    np.zeros([0, 4], np.float32),
    np.array(3, np.float32),
]


def kind(field):
    """On the wire: an enumeration is an int32 there."""
    return FieldDescriptor.TYPE_INT32 if field.type == FieldDescriptor.TYPE_ENUM else field.type


def is_map(field):
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def is_list(field):
    return field.is_repeated if hasattr(field, "is_repeated") else field.label == FieldDescriptor.LABEL_REPEATED


@pytest.mark.parametrize("name", wire._MESSAGES)
def test_every_field_is_that_of_the_published_message(name):
    """Number, kind, repeated or not, message, by the descriptors that TensorFlow's wheels carry; and the bytes."""
    published = PUBLISHED.get(name) or getattr(messages, name)
    own = wire._CLASSES[name].DESCRIPTOR
    assert own is not published.DESCRIPTOR
    for field in own.fields:
        other = published.DESCRIPTOR.fields_by_name[field.name]
        assert (field.number, kind(field), is_list(field)) == (other.number, kind(other), is_list(other)), field.name
        assert is_map(field) == is_map(other), field.name
        if not field.message_type:  # packed or not
            value = {FieldDescriptor.TYPE_BYTES: b"a", FieldDescriptor.TYPE_STRING: "a"}.get(field.type, 1)
            values = {field.name: [value, value] if is_list(field) else value}
            assert wire._CLASSES[name](**values).SerializeToString() == published(**values).SerializeToString()
        if field.message_type and not is_map(field):
            assert field.message_type.name == other.message_type.name
        elif field.message_type:
            ends = [f.message_type.fields_by_name["value"].message_type.name for f in (field, other)]
            assert ends[0] == ends[1]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{list(array.shape)}")
def test_tensorflow_reads_what_we_write_and_we_what_it_writes(array):
    tensor = messages.TensorProto.FromString(wire.to_tensor(array).SerializeToString())
    np.testing.assert_array_equal(tf.make_ndarray(tensor), array)
    back = wire.to_array(wire.TensorProto.FromString(tf.make_tensor_proto(array).SerializeToString()))
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(back, array)


def test_strings_are_bytes_both_ways():
    strings = [b"", b"RIFF\x00\xff", b"x" * 1000]
    tensor = messages.TensorProto.FromString(wire.to_tensor(strings).SerializeToString())
    assert tf.make_ndarray(tensor).tolist() == strings
    back = wire.to_array(wire.TensorProto.FromString(tf.make_tensor_proto(strings).SerializeToString()))
    assert back.tolist() == strings


@pytest.mark.parametrize(
    ("field", "dtype"), [("float_val", 1), ("int_val", 3), ("int64_val", 9), ("bool_val", 10), ("half_val", 19)]
)
def test_typed_fields_are_read_and_a_short_list_ends_in_its_last_value(field, dtype):
    """Four values of which two are there: 0 1 1 1; the halves are their bits, of which 1 is the smallest number."""
    tensor = wire.TensorProto(dtype=dtype)
    tensor.tensor_shape.dim.add(size=2)
    tensor.tensor_shape.dim.add(size=2)
    getattr(tensor, field).extend([0, 1])
    published = messages.TensorProto.FromString(tensor.SerializeToString())
    np.testing.assert_array_equal(wire.to_array(tensor), tf.make_ndarray(published))
    assert (wire.to_array(tensor) > 0).tolist() == [[False, True], [True, True]]


def test_what_is_no_tensor_of_ours_is_refused():
    with pytest.raises(TypeError, match="no tensor of complex64: expected one of float32"):
        wire.to_tensor(np.complex64([1]))
    with pytest.raises(ValueError, match="DataType 8: expected one of"):
        wire.to_array(wire.TensorProto(dtype=8))
    tensor = wire.to_tensor([b"a", b"b"])
    tensor.tensor_shape.dim[0].size = 1
    with pytest.raises(ValueError, match=r"shape \[1\] with 2 values"):
        wire.to_array(tensor)
    tensor = wire.TensorProto(dtype=1)
    tensor.tensor_shape.dim.add(size=1)
    with pytest.raises(ValueError, match=r"shape \[1\] with 0 values"):
        wire.to_array(tensor)
