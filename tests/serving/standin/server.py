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

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from google.protobuf import text_format

from tests.serving.standin import messages
from tests.serving.standin.batching import BatchingParams
from tests.serving.standin.failed import Failed
from tests.serving.standin.loader import LIBRARY, SavedModel
from tests.serving.standin.models import Models
from tests.serving.standin.rest import rest_server
from tests.serving.standin.rpc import rpc_server


def main():
    given = arguments()
    batching = None
    if given.batching:
        sizes = tuple(int(size) for size in given.allowed_batch_sizes.split(",") if size)
        batching = BatchingParams(given.max_batch_size, given.batch_timeout_micros / 1e6, sizes)
    parallelism = given.tensorflow_session_parallelism
    models = Models(configs(given), lambda path: SavedModel(path, parallelism), batching, given.enable_model_warmup)
    try:
        models.poll()
    except Failed as failure:
        raise SystemExit(f"cannot load: {failure}") from failure
    _rpc, port = rpc_server(models, given.port)
    rest = rest_server(models, given.rest_api_port)
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    if given.end_with_stdin:
        threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
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
    parser.add_argument("--noenable_model_warmup", dest="enable_model_warmup", action="store_false")
    parser.add_argument("--end_with_stdin", action="store_true", help="so that it does not outlive who began it")
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


if __name__ == "__main__":
    main()
