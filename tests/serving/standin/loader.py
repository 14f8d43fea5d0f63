"""TensorFlow's C++ loader of SavedModels and its sessions, through the C API of the wheel's shared libraries.

It is the code that a TensorFlow Serving built from the same sources runs; no line of TensorFlow's Python is in it.
"""

import ctypes
import math

import numpy as np

from tests.serving.standin.failed import DTYPES, NUMBERS, STRING, Failed
from tests.serving.standin.messages import TENSORFLOW, ConfigProto, MetaGraphDef

_STRING_BYTES = 24  # sizeof(TF_TString)
_POINTERS = (
    "TF_NewStatus", "TF_NewSessionOptions", "TF_NewGraph", "TF_NewBuffer", "TF_LoadSessionFromSavedModel",
    "TF_GraphOperationByName", "TF_AllocateTensor", "TF_TensorData", "TF_StringGetDataPointer",
)  # fmt: skip
_SIZES = ("TF_Dim", "TF_StringGetSize", "TF_TensorByteSize")


class _Output(ctypes.Structure):
    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


class _Buffer(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("deallocator", ctypes.c_void_p))


class _Library:
    """The functions of both libraries; which one has which differs between versions of TensorFlow."""

    def __init__(self):
        names = ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2")
        self.parts = [ctypes.CDLL(str(TENSORFLOW / name), ctypes.RTLD_GLOBAL) for name in names]
        for name in _POINTERS:
            getattr(self, name).restype = ctypes.c_void_p
        for name in _SIZES:
            getattr(self, name).restype = ctypes.c_size_t
        self.TF_Version.restype = self.TF_Message.restype = ctypes.c_char_p

    def __getattr__(self, name):
        function = next((getattr(part, name) for part in self.parts if hasattr(part, name)), None)
        if function is None:
            raise AttributeError(f"neither library has {name}")
        setattr(self, name, function)
        return function


LIBRARY = _Library()


class _Status:
    """A TF_Status; `check` raises what it holds."""

    def __enter__(self):
        self.pointer = ctypes.c_void_p(LIBRARY.TF_NewStatus())
        return self

    def __exit__(self, *_):
        LIBRARY.TF_DeleteStatus(self.pointer)

    def check(self):
        if code := LIBRARY.TF_GetCode(self.pointer):
            raise Failed(code, LIBRARY.TF_Message(self.pointer).decode(errors="replace"))


class SavedModel:
    """A loaded bundle.

    Args:
      path: its folder.
      parallelism: threads of the session, as `--tensorflow_session_parallelism`; 0: as many as there are cores.

    Raises:
      Failed: TensorFlow cannot load it.
    """

    def __init__(self, path, parallelism=0):
        config = ConfigProto(
            intra_op_parallelism_threads=parallelism,
            inter_op_parallelism_threads=parallelism,
            use_per_session_threads=bool(parallelism),
        ).SerializeToString()
        options, meta = ctypes.c_void_p(LIBRARY.TF_NewSessionOptions()), ctypes.c_void_p(LIBRARY.TF_NewBuffer())
        self.graph = ctypes.c_void_p(LIBRARY.TF_NewGraph())
        tags = (ctypes.c_char_p * 1)(b"serve")
        with _Status() as status:
            LIBRARY.TF_SetConfig(options, config, ctypes.c_size_t(len(config)), status.pointer)
            status.check()
            self.session = ctypes.c_void_p(
                LIBRARY.TF_LoadSessionFromSavedModel(
                    options, None, str(path).encode(), tags, 1, self.graph, meta, status.pointer
                )
            )
            status.check()
        found = ctypes.cast(meta, ctypes.POINTER(_Buffer)).contents
        graph = MetaGraphDef.FromString(ctypes.string_at(found.data, found.length))
        self.signatures = dict(graph.signature_def)
        LIBRARY.TF_DeleteBuffer(meta)
        LIBRARY.TF_DeleteSessionOptions(options)

    def close(self):
        """Frees the session; nobody may be running it."""
        with _Status() as status:
            LIBRARY.TF_CloseSession(self.session, status.pointer)
            LIBRARY.TF_DeleteSession(self.session, status.pointer)
        LIBRARY.TF_DeleteGraph(self.graph)

    def run(self, feeds, fetches):
        """Arrays of the tensors named `fetches`, given those of `feeds` (name -> array; strings are object arrays).

        Raises:
          Failed: TensorFlow refuses, or a tensor is not in the graph.
        """
        inputs = (_Output * len(feeds))(*map(self._output, feeds))
        outputs = (_Output * len(fetches))(*map(self._output, fetches))
        given = (ctypes.c_void_p * len(feeds))(*map(_to_tensor, feeds.values()))
        taken = (ctypes.c_void_p * len(fetches))()
        try:
            with _Status() as status:
                LIBRARY.TF_SessionRun(
                    self.session, None, inputs, given, len(feeds), outputs, taken, len(fetches), None, 0, None,
                    status.pointer,
                )  # fmt: skip
                status.check()
            return [_to_array(ctypes.c_void_p(tensor)) for tensor in taken]
        finally:
            for tensor in (*given, *filter(None, taken)):
                LIBRARY.TF_DeleteTensor(ctypes.c_void_p(tensor))

    def _output(self, name):
        operation, _, index = name.partition(":")
        pointer = LIBRARY.TF_GraphOperationByName(self.graph, operation.encode())
        if not pointer:
            raise Failed(3, f"tensor {name} is not in the graph")
        return _Output(pointer, int(index or 0))


def _to_tensor(array):
    """A TF_Tensor. One of strings holds views of the array's bytes objects, which outlive the call."""
    is_string = array.dtype == object
    size = array.size * _STRING_BYTES if is_string else array.nbytes
    dims = (ctypes.c_int64 * array.ndim)(*array.shape)
    number = STRING if is_string else NUMBERS[array.dtype]
    tensor = LIBRARY.TF_AllocateTensor(number, dims, array.ndim, ctypes.c_size_t(size))
    data = LIBRARY.TF_TensorData(ctypes.c_void_p(tensor))
    if not is_string:
        ctypes.memmove(data, np.ascontiguousarray(array).ctypes.data, size)
        return tensor
    for index, value in enumerate(array.ravel()):
        place = ctypes.c_void_p(data + index * _STRING_BYTES)
        LIBRARY.TF_StringInit(place)
        LIBRARY.TF_StringAssignView(place, ctypes.c_char_p(value), ctypes.c_size_t(len(value)))
    return tensor


def _to_array(tensor):
    shape = [LIBRARY.TF_Dim(tensor, axis) for axis in range(LIBRARY.TF_NumDims(tensor))]
    number, data = LIBRARY.TF_TensorType(tensor), LIBRARY.TF_TensorData(tensor)
    if number != STRING:
        raw = ctypes.string_at(data, LIBRARY.TF_TensorByteSize(tensor)) if data else b""
        return np.frombuffer(raw, DTYPES[number]).reshape(shape)
    values = np.empty(math.prod(shape), object)
    for index in range(len(values)):
        place = ctypes.c_void_p(data + index * _STRING_BYTES)
        values[index] = ctypes.string_at(LIBRARY.TF_StringGetDataPointer(place), LIBRARY.TF_StringGetSize(place))
    return values.reshape(shape)
