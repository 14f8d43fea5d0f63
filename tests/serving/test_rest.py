import http.server
import threading
import time

import numpy as np
import pytest

from tests.serving.conftest import INFO, WAV
from tfmir.serving.rest import Rest
from tfmir.serving.transport import Metadata, Model, ServerError
from tfmir.serving.wav_file import wav_bytes

SONG = wav_bytes(np.full(70000, 0.5, np.float32), sample_rate=22050)


@pytest.fixture
def rest(fake):
    return Rest(fake.rest, through_proxy=False)


def test_outputs_are_arrays_of_the_kinds_that_json_tells_apart(rest):
    found = rest.predict(Model("m"), WAV, {"wav_bytes": [SONG, SONG]}, 5)
    assert found["embedding"].tolist() == [[1, 70000, 0.5, 2]] * 2
    assert {name: array.dtype for name, array in found.items()} == {
        "alive": np.bool_,
        "embedding": np.float32,
        "excerpts": np.int32,
        "scores": np.float32,
        "valid": np.bool_,
    }


def test_the_only_output_of_a_signature_has_no_name_in_json(rest):
    (name, cards), *others = rest.predict(Model("m"), INFO, {"request": [b""]}, 5).items()
    assert (name, cards.shape, others) == ("", (1,), [])
    assert cards[0].startswith('{"features"')


def test_metadata_and_versions(rest, fake):
    expected = {INFO: frozenset({"request"}), WAV: frozenset({"wav_bytes"})}
    assert rest.metadata(Model("m"), 5) == Metadata(1, expected)
    assert rest.metadata(Model("m", label="stable"), 5) == Metadata(1, expected)
    fake.models.versions[12] = fake.models.versions[1]
    assert rest.versions("m", 5) == [1, 12]
    assert rest.metadata(Model("m", 12), 5).version == 12


def test_names_are_spelled_for_an_address(rest, fake):
    with pytest.raises(ServerError, match="Malformed request: GET /x/v1/models/a%2Fb%3F/labels/c%20d/metadata"):
        Rest(fake.rest + "/x", through_proxy=False).metadata(Model("a/b?", label="c d"), 5)


@pytest.mark.parametrize(
    ("code", "name"),
    [(3, "INVALID_ARGUMENT"), (5, "NOT_FOUND"), (8, "RESOURCE_EXHAUSTED"), (13, "UNKNOWN"), (14, "UNAVAILABLE")],
)
def test_a_status_is_told_as_grpc_tells_it_with_the_servers_own_words(rest, fake, code, name):
    fake.models.failures[:] = [code]
    with pytest.raises(ServerError, match="not now") as caught:
        rest.metadata(Model("m"), 5)
    assert caught.value.code == name


@pytest.fixture
def stranger():
    """A server that answers every request with one status and one text, after a pause."""
    answer = {"status": 200, "text": b"<html>welcome</html>", "pause": 0.0}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            time.sleep(answer["pause"])
            if answer["status"]:
                self.send_response(answer["status"])
                self.end_headers()
                self.wfile.write(answer["text"])

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # who asked may be gone
    threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True).start()
    yield answer, Rest(f"http://127.0.0.1:{server.server_address[1]}", through_proxy=False)
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "text", "code", "message"),
    [
        (200, b"<html>welcome</html>", "UNKNOWN", "not in JSON: it is no TensorFlow Serving"),
        (404, b"<html>no such   page</html>", "NOT_FOUND", "HTTP 404 Not Found: <html>no such page</html>"),
        (413, b"", "TOO_LARGE", "HTTP 413"),
        (502, b"bad gateway", "UNAVAILABLE", "HTTP 502 Bad Gateway: bad gateway"),
        (504, b'{"error": 7}', "DEADLINE_EXCEEDED", "7"),
        (418, b'{"text": "x"}', "UNKNOWN", "HTTP 418"),
        (0, b"", "UNAVAILABLE", "closed connection without response"),
    ],
)
def test_what_is_no_tensorflow_serving_is_told_apart(stranger, status, text, code, message):
    answer, rest = stranger
    answer |= {"status": status, "text": text}
    with pytest.raises(ServerError, match=message) as caught:
        rest.versions("m", 5)
    assert caught.value.code == code


def test_a_server_that_does_not_answer_in_time(stranger):
    answer, rest = stranger
    answer["pause"] = 0.5
    with pytest.raises(ServerError) as caught:
        rest.versions("m", 0.05)
    assert caught.value.code == "DEADLINE_EXCEEDED"


def test_nobody_there():
    with pytest.raises(ServerError, match="refused") as caught:
        Rest("http://127.0.0.1:9", through_proxy=False).versions("m", 5)
    assert caught.value.code == "UNAVAILABLE"
