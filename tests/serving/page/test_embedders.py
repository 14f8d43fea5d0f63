"""What hears uploads: a run, as search hears it; a server's client, whose weights must be those of the index."""

import shutil
import types

import numpy as np
import pytest

from tests.fixtures.page import track_id, untrained_run
from tfmir import files
from tfmir.data.audio import AudioError
from tfmir.errors import UserError
from tfmir.inference.audio import embed_file
from tfmir.inference.weights import load_system
from tfmir.serving.page import embedders
from tfmir.serving.page.embedders import EndpointEmbedder, RunEmbedder


@pytest.fixture
def decoded_here(monkeypatch):
    """Without a process of its own, which `test_uploads.py` has."""
    from tfmir.data.audio import decode

    def decode_here(path, *, sample_rate, max_secs, timeout_secs):
        return decode(path, sample_rate=sample_rate, max_secs=max_secs)

    monkeypatch.setattr(embedders, "decode_isolated", decode_here)


@pytest.fixture
def path(songs):
    return str(songs / track_id(0))


def run_embedder(run):
    return RunEmbedder(run, index="index/a", weights_sha256=files.sha256(run.best_weights))


def test_a_run_hears_a_file_as_search_does(path, tmp_path, decoded_here):
    run = untrained_run(str(tmp_path / "run"))
    embedder, system = run_embedder(run), load_system(run)
    heard = embedder.hear(path)
    np.testing.assert_allclose(heard.embedding, embed_file(system, path), atol=1e-6)
    np.testing.assert_allclose(heard.scores, system.scores(heard.embedding[np.newaxis])[0].numpy(), atol=1e-6)


def test_a_run_that_was_trained_on_meanwhile_is_refused_until_it_is_again_the_index_s(path, tmp_path, decoded_here):
    run = untrained_run(str(tmp_path / "run"))
    embedder, kept = run_embedder(run), str(tmp_path / "kept")
    shutil.copy(str(run.best_weights), kept)
    untrained_run(str(tmp_path / "run"))  # other weights in its place
    for _ in range(2):
        with pytest.raises(
            UserError, match=r"--run=.*run has other weights .* than --index=index/a .*index the library"
        ):
            embedder.hear(path)
    shutil.copy(kept, str(run.best_weights))
    assert embedder.hear(path).embedding.any()


class Endpoint:
    """A client that notes what it is sent."""

    def __init__(self, sha256="a" * 64, *, valid=True, embedding=(1.0, 0.0)):
        self.sha256, self.valid, self.embedding, self.sent = sha256, valid, embedding, []

    def card(self):
        return {"weights_sha256": self.sha256, "features": {"sample_rate": 22050}}

    def embed_waveform(self, waveform):
        self.sent.append(waveform)
        return types.SimpleNamespace(embedding=self.embedding, scores=(0.5,), valid=self.valid)


def endpoint_embedder(client):
    return EndpointEmbedder(client, index="index/a", weights_sha256="a" * 64)


def test_an_endpoint_is_sent_the_decoded_song(path, decoded_here):
    client = Endpoint()
    heard = endpoint_embedder(client).hear(path)
    assert heard.embedding.tolist() == [1.0, 0.0]
    (sent,) = client.sent
    assert (sent.dtype, len(sent)) == (np.float32, 22050)


def test_an_endpoint_of_other_weights_is_refused_at_once():
    with pytest.raises(UserError, match="--endpoint has other weights"):
        endpoint_embedder(Endpoint("b" * 64))


@pytest.mark.parametrize(
    "client", [Endpoint(valid=False), Endpoint(embedding=(0.0, 0.0)), Endpoint(embedding=(np.nan, 1))]
)
def test_what_a_model_cannot_use_is_said(client, path, decoded_here):
    with pytest.raises(AudioError):
        endpoint_embedder(client).hear(path)
