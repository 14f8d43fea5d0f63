from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from tests.serving.conftest import INFO, WAV
from tfmir.serving.rpc import Grpc
from tfmir.serving.transport import Metadata, Model, ServerError
from tfmir.serving.wav_file import wav_bytes


@pytest.fixture
def rpc(fake):
    transport = Grpc(fake.grpc.removeprefix("grpc://"), secure=False, through_proxy=False)
    yield transport
    transport.close()


def test_outputs_come_with_their_types(rpc):
    song = wav_bytes(np.full(70000, 0.5, np.float32), sample_rate=22050)
    found = rpc.predict(Model("m"), WAV, {"wav_bytes": [song, song]}, 5)
    assert found["embedding"].tolist() == [[1, 70000, 0.5, 2]] * 2
    dtypes = {name: array.dtype for name, array in found.items()}
    assert dtypes == {"alive": bool, "embedding": "f4", "excerpts": "i4", "scores": "f4", "valid": bool}
    (card,) = rpc.predict(Model("m"), INFO, {"request": [b""]}, 5)["card"]
    assert card.startswith(b'{"features"')


def test_metadata_and_versions(rpc, fake):
    expected = {INFO: frozenset({"request"}), WAV: frozenset({"wav_bytes"})}
    assert rpc.metadata(Model("m", label="stable"), 5) == Metadata(1, expected)
    fake.models.versions[12] = fake.models.versions[1]
    assert rpc.versions("m", 5) == [1, 12]
    assert rpc.metadata(Model("m"), 5).version == 12
    assert rpc.metadata(Model("m", 1), 5).version == 1


@pytest.mark.parametrize("code", [3, 5, 8, 13, 14])
def test_a_failure_keeps_its_code_and_its_words(rpc, fake, code):
    fake.models.failures[:] = [code]
    with pytest.raises(ServerError, match="not now") as caught:
        rpc.metadata(Model("m"), 5)
    assert getattr(grpc.StatusCode, caught.value.code).value[0] == code


def test_songs_beyond_grpcs_own_limit_of_4_mb_go_through(rpc, fake):
    """Three minutes are 8 MB."""
    song = wav_bytes(np.zeros(180 * 22050, np.float32), sample_rate=22050)
    assert rpc.predict(Model("m"), WAV, {"wav_bytes": [song]}, 5)["excerpts"].tolist() == [60]


def test_a_server_that_takes_no_more_is_not_taken_for_a_full_one():
    """Its limit of 1 kB comes as the same code as a full queue, which a pause would mend."""
    methods = {"GetModelStatus": grpc.unary_unary_rpc_method_handler(lambda request, context: b"")}
    server = grpc.server(ThreadPoolExecutor(1), options=[("grpc.max_receive_message_length", 1000)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tensorflow.serving.ModelService", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    transport = Grpc(f"127.0.0.1:{port}", secure=False, through_proxy=False)
    with pytest.raises(ServerError) as caught:
        transport.versions("m" * 2000, 5)
    assert caught.value.code == "TOO_LARGE"
    transport.close()
    server.stop(None)


def test_nobody_there():
    transport = Grpc("127.0.0.1:9", secure=False, through_proxy=False)
    with pytest.raises(ServerError) as caught:
        transport.versions("m", 5)
    assert caught.value.code == "UNAVAILABLE"
    transport.close()
