"""The published messages of TensorFlow and TensorFlow Serving, as their wheels generate them, without TensorFlow.

`import tensorflow.core…` would run `tensorflow/__init__.py`, which loads all of it. A bare package of that name with
the wheel's folder as its path gives the generated modules alone. They are the ones that a real server is built from,
so that a mistake in `tfmir/serving/wire.py` shows.
"""

import importlib.util
import pathlib
import sys
import types


def wheel(name):
    """The folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the stand-in needs {name}: pip install tfmir[test]")
    return pathlib.Path(spec.submodule_search_locations[0])


TENSORFLOW = wheel("tensorflow")
if "tensorflow" not in sys.modules:
    bare = types.ModuleType("tensorflow")
    bare.__path__ = [str(TENSORFLOW)]
    sys.modules["tensorflow"] = bare

from tensorflow.core.framework.tensor_pb2 import TensorProto  # noqa: E402
from tensorflow.core.protobuf.config_pb2 import ConfigProto  # noqa: E402
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef  # noqa: E402
from tensorflow_serving.apis import (  # noqa: E402
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
    prediction_log_pb2,
)
from tensorflow_serving.config import model_server_config_pb2  # noqa: E402

ModelSpec = model_pb2.ModelSpec
PredictRequest, PredictResponse = predict_pb2.PredictRequest, predict_pb2.PredictResponse
PredictionLog = prediction_log_pb2.PredictionLog
GetModelMetadataRequest = get_model_metadata_pb2.GetModelMetadataRequest
GetModelMetadataResponse = get_model_metadata_pb2.GetModelMetadataResponse
SignatureDefMap = get_model_metadata_pb2.SignatureDefMap
GetModelStatusRequest = get_model_status_pb2.GetModelStatusRequest
GetModelStatusResponse = get_model_status_pb2.GetModelStatusResponse
ModelVersionStatus = get_model_status_pb2.ModelVersionStatus
ModelServerConfig = model_server_config_pb2.ModelServerConfig

__all__ = [
    "TENSORFLOW",
    "ConfigProto",
    "GetModelMetadataRequest",
    "GetModelMetadataResponse",
    "GetModelStatusRequest",
    "GetModelStatusResponse",
    "MetaGraphDef",
    "ModelServerConfig",
    "ModelSpec",
    "ModelVersionStatus",
    "PredictRequest",
    "PredictResponse",
    "PredictionLog",
    "SignatureDefMap",
    "TensorProto",
]
