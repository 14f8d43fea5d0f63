"""A stand-in for TensorFlow Serving, for tests: it is not TensorFlow Serving, of which no binary can be had here.

    python -m tests.serving.standin.server --model_name=tfmir --model_base_path=export/models/tfmir

It puts the published wire API (gRPC: Predict, GetModelMetadata, GetModelStatus; REST: predict by row and by column,
metadata, status, for a version or a label) before TensorFlow's own C++ loader of SavedModels and its C++ sessions, in a
process that has neither tfmir nor TensorFlow's Python nor tensorflow-io. What computes is TensorFlow's; imitated, after
TensorFlow Serving's sources, is the server around it: versions, labels, warm-up, batching, errors, JSON.
Not imitated: Classify and Regress, several platforms, SSL, the configuration's reload by gRPC, monitoring.

When it answers it prints a line of JSON: its ports, and the strange modules that it has imported: there are none.
Tests are written against host and ports: a real server is named by TFMIR_TEST_SERVER=host:grpc_port:rest_port.
"""

import argparse
import json
import os
import pathlib
import signal
import sys
import threading
from concurrent import futures

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import grpc
from google.protobuf import text_format

from tests.serving.standin import messages
from tests.serving.standin.batching import BatchingParams
from tests.serving.standin.failed import Failed
from tests.serving.standin.loader import LIBRARY
from tests.serving.standin.models import Models, metadata, status
from tests.serving.standin.rest import rest_server

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_THREADS = 16


def main():
    given = arguments()
    batching = None
    if given.batching:
        sizes = tuple(int(size) for size in given.allowed_batch_sizes.split(",") if size)
        batching = BatchingParams(given.max_batch_size, given.batch_timeout_micros / 1e6, sizes)
    models = Models(configs(given), batching, given.tensorflow_session_parallelism)
    try:
        models.poll()
    except Failed as failure:
        raise SystemExit(f"cannot load: {failure}") from failure
    _rpc, port = rpc_server(models, given.port)
    rest = rest_server(models, given.rest_api_port)
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    loaded = {name.partition(".")[0] for name in sys.modules}
    real = sys.modules["tensorflow"].__spec__ is not None  # the bare package has none
    strangers = sorted(loaded & {"tfmir", "tensorflow_io", "keras"}) + ["tensorflow"] * real
    version = LIBRARY.TF_Version().decode()
    ready = {"grpc": port, "rest": rest.server_address[1], "tensorflow": version, "strangers": strangers}
    print(json.dumps(ready), flush=True)
    while not stopped.wait(given.file_system_poll_wait_seconds):
        try:
            models.poll()
        except Failed as failure:  # as there: what is served goes on
            print(f"cannot load: {failure}", file=sys.stderr, flush=True)
    os._exit(0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="of gRPC; 0: a free one")
    parser.add_argument("--rest_api_port", type=int, default=0, help="of REST; 0: a free one")
    parser.add_argument("--model_name", default="default")
    parser.add_argument("--model_base_path", default="")
    parser.add_argument("--model_config_file", default="")
    parser.add_argument("--file_system_poll_wait_seconds", type=float, default=1.0)
    parser.add_argument("--tensorflow_session_parallelism", type=int, default=0)
    parser.add_argument("--batching", action="store_true", help="TensorFlow Serving's --enable_batching")
    parser.add_argument("--max_batch_size", type=int, default=8)
    parser.add_argument("--batch_timeout_micros", type=int, default=20_000)
    parser.add_argument("--allowed_batch_sizes", default="", help="such as 1,2,4,8")
    return parser.parse_args()


def configs(given):
    """The ModelConfigs of a models.config, or one of a name and a base path."""
    config = messages.ModelServerConfig()
    if given.model_config_file:
        text_format.Parse(pathlib.Path(given.model_config_file).read_text(), config)
    else:
        config.model_config_list.config.add(name=given.model_name, base_path=given.model_base_path)
    return config.model_config_list.config


def rpc_server(models, port):
    """A gRPC server, begun, and its port."""

    def method(answer, request):
        def answered(message, context):
            try:
                return answer(message)
            except Failed as failure:
                context.abort(_CODES[failure.code], str(failure))

        return grpc.unary_unary_rpc_method_handler(
            answered,
            request_deserializer=request.FromString,
            response_serializer=lambda found: found.SerializeToString(),
        )

    services = {
        "PredictionService": {
            "Predict": method(models.predict, messages.PredictRequest),
            "GetModelMetadata": method(lambda asked: metadata(models, asked), messages.GetModelMetadataRequest),
        },
        "ModelService": {"GetModelStatus": method(lambda asked: status(models, asked), messages.GetModelStatusRequest)},
    }
    limit = ("grpc.max_receive_message_length", 2**31 - 1)  # TensorFlow Serving's own
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS), options=[limit])
    for name, methods in services.items():
        handler = grpc.method_handlers_generic_handler(f"tensorflow.serving.{name}", methods)
        server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, port


if __name__ == "__main__":
    main()
