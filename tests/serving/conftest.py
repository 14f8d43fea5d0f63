"""A server of made-up bundles in this process, and the stand-in for TensorFlow Serving with a real one in its own."""

import dataclasses
import io
import json
import os
import pathlib
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile

from tests.serving.standin import messages
from tests.serving.standin.failed import Failed
from tests.serving.standin.models import Models
from tests.serving.standin.rest import rest_server
from tests.serving.standin.rpc import rpc_server
from tests.serving.standin.tensors import objects

REPOSITORY = pathlib.Path(__file__).parent.parent.parent
INFO, WAV = "model_info", "serving_default_wav_bytes"
CARD = {"features": {"sample_rate": 22050, "excerpt_secs": 3.0}, "tags": ["genre/a"], "notions": {"genre": ["a"]}}
_OUTPUTS = ("alive", "embedding", "excerpts", "scores", "valid")


def signature(inputs, outputs):
    found = messages.MetaGraphDef().signature_def["x"]
    for name in inputs:
        found.inputs[name].name, found.inputs[name].dtype = f"{name}:0", 7
    for name in outputs:
        found.outputs[name].name = f"{name}:0"
    return found


class FakeBundle:
    """Vectors that tell which version and which song they are of: [version, samples, middle sample, songs with it]."""

    def __init__(self, version, names=(INFO, WAV)):
        self.version = version
        known = {INFO: signature(["request"], ["card"]), WAV: signature(["wav_bytes"], _OUTPUTS)}
        self.signatures = {name: known[name] for name in names}
        self.batches = []

    def run(self, feeds, fetches):
        if "request:0" in feeds:
            card = CARD | {"weights_sha256": f"{self.version}" * 64}
            return [objects([json.dumps(card).encode()] * len(feeds["request:0"]))]
        songs = [soundfile.read(io.BytesIO(data))[0] for data in feeds["wav_bytes:0"]]
        self.batches.append([len(song) for song in songs])
        middle = [song[len(song) // 2] if len(song) else np.nan for song in songs]
        found = {
            "embedding": [[self.version, len(song), a, len(songs)] for song, a in zip(songs, middle, strict=True)],
            "scores": [[0.25]] * len(songs),
        }
        arrays = {name: np.array(values, np.float32) for name, values in found.items()}
        arrays["alive"] = np.array([[True, False]] * len(songs))
        arrays["excerpts"] = np.array([max(1, len(song) // 66150) for song in songs], np.int32)
        arrays["valid"] = np.array(middle) < 0.99
        return [arrays[name.removesuffix(":0")] for name in fetches]


class FakeModels(Models):
    """`failures` are raised by the next calls, one each; `asked` are the ModelSpecs of all calls."""

    def __init__(self):
        super().__init__([messages.ModelServerConfig().model_config_list.config.add(name="m")], load=None)
        self.failures, self.asked = [], []
        self.models["m"].versions = {1: FakeBundle(1)}
        self.models["m"].config.version_labels["stable"] = 1

    def find(self, spec):
        self.asked.append(spec)
        if self.failures:
            raise Failed(self.failures.pop(0), "not now")
        return super().find(spec)

    @property
    def versions(self):
        return self.models["m"].versions


@dataclasses.dataclass(frozen=True)
class Fake:
    models: FakeModels
    rest: str
    grpc: str

    def endpoint(self, kind):
        return getattr(self, kind)


@pytest.fixture
def fake():
    """A server in this process, of both kinds, with version 1 of a model named m."""
    models = FakeModels()
    rpc, port = rpc_server(models, 0)
    rest = rest_server(models, 0)
    threading.Thread(target=lambda: rest.serve_forever(poll_interval=0.02), daemon=True).start()
    yield Fake(models, f"http://127.0.0.1:{rest.server_address[1]}", f"grpc://127.0.0.1:{port}")
    rpc.stop(None)
    rest.shutdown()
    rest.server_close()


@dataclasses.dataclass(frozen=True)
class Server:
    """Where a server is, and what it calls the model."""

    rest: str
    grpc: str
    model: str

    def endpoint(self, kind):
        return getattr(self, kind)


@pytest.fixture(scope="session")
def server(request):
    """The server that TFMIR_TEST_SERVER=host:grpc_port:rest_port names, with TFMIR_TEST_MODEL, or the stand-in."""
    if named := os.environ.get("TFMIR_TEST_SERVER"):
        host, rpc, rest = named.rsplit(":", 2)
        yield Server(f"http://{host}:{rest}", f"grpc://{host}:{rpc}", os.environ.get("TFMIR_TEST_MODEL", "tfmir"))
        return
    bundle = request.getfixturevalue("bundle")
    flags = [f"--model_name={bundle.parent.name}", f"--model_base_path={bundle.parent}", "--end_with_stdin"]
    flags += ["--noenable_model_warmup", "--batching", "--max_batch_size=16", "--batch_timeout_micros=20000"]
    command = [sys.executable, "-m", "tests.serving.standin.server", *flags]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, cwd=REPOSITORY, **pipes)
    said = []
    threading.Thread(target=lambda: said.extend(process.stderr), daemon=True).start()  # or the pipe would be full
    line = process.stdout.readline()
    assert line, "".join(said)
    ready = json.loads(line)
    assert ready["strangers"] == []
    yield Server(f"http://127.0.0.1:{ready['rest']}", f"grpc://127.0.0.1:{ready['grpc']}", bundle.parent.name)
    process.terminate()
    assert process.wait(30) == 0
