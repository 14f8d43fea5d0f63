import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile

from tests.serving.conftest import CARD
from tfmir.data.audio import AudioWarning
from tfmir.errors import UserError
from tfmir.serving import client as client_module
from tfmir.serving.client import Client

RATE = 22050


@pytest.fixture(params=["rest", "grpc"])
def client(request, fake):
    with Client(fake.endpoint(request.param), model="m") as made:
        yield made


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Of 1 to 12 s at 44.1 kHz, whose level tells which; one is no audio, one is missing."""
    folder = tmp_path_factory.mktemp("songs")
    paths = []
    for index in range(12):
        wave = np.full((index + 1) * 44100, (index + 1) / 20, np.float32)
        paths.append(folder / f"{index}.wav")
        soundfile.write(paths[-1], wave, 44100, subtype="FLOAT")
    paths[4].write_bytes(b"no audio" * 9)
    paths[7].unlink()
    return paths


def test_the_card_and_the_version_are_those_that_answer(client, fake):
    assert client.version == 1
    assert client.card() == CARD | {"weights_sha256": "1" * 64}
    calls = len(fake.models.asked)
    assert client.card()["tags"] == ["genre/a"]
    assert len(fake.models.asked) == calls


def test_a_version_may_be_a_number_or_a_label(fake):
    assert Client(fake.rest, model="m", version=1).version == 1
    assert Client(fake.rest, model="m", version="stable").version == 1
    with pytest.raises(UserError, match="no version 3"):
        Client(fake.rest, model="m", version=3).card()


def test_an_index_of_other_weights_is_refused(client):
    client.refuse_other_weights("1" * 64)
    with pytest.raises(UserError, match=r"version 1 of 'm' with the weights 111111111111…, .* made with abcdefabcdef…"):
        client.refuse_other_weights("abcdef" * 11)


def test_a_waveform_is_sent_as_16_bits_and_comes_back_as_a_vector(client):
    """The fake's vectors: version, samples, middle sample, songs in the request."""
    served = client.embed_waveform(np.full(3 * RATE, 0.25))
    assert served.embedding.tolist() == [1, 3 * RATE, 0.25, 1]
    assert (served.embedding.dtype, served.scores.tolist(), served.alive.tolist()) == (
        np.float32,
        [0.25],
        [True, False],
    )
    assert (served.excerpts, served.valid, served.problem) == (1, True, "")


@pytest.mark.parametrize("waveform", [[], [np.nan], [0.1, np.inf], [[0.1, 0.2]]])
def test_what_is_no_waveform_is_refused_before_it_is_sent(client, waveform):
    with pytest.raises(UserError, match=r"expected finite numbers of shape \[samples\]"):
        client.embed_waveform(np.array(waveform))


def test_an_invalid_row_is_an_error(client):
    """The fake calls invalid what is louder than 0.99."""
    with pytest.raises(UserError, match="the waveform: the server calls it invalid"):
        client.embed_waveform(np.full(RATE, 0.995, np.float32))


def test_a_file_is_decoded_and_resampled_here(client, songs):
    served = client.embed_file(str(songs[1]))
    assert served.embedding[:2].tolist() == [1, 2 * RATE]
    assert served.embedding[2] == pytest.approx(0.1, abs=1e-4)


def test_files_that_cannot_be_used_are_told_and_named(client, songs):
    with pytest.raises(UserError, match=r"4\.wav: cannot be decoded"):
        client.embed_file(str(songs[4]))
    with pytest.raises(UserError, match=r"7\.wav: missing: no such file"):
        client.embed_file(str(songs[7]))


def test_several_files_share_requests_and_keep_their_order(client, fake, songs):
    """Eight at most; two cannot be sent. 12 songs are sent in requests of 8 - 2 and 4."""
    found = list(client.embed_files([str(path) for path in songs]))
    assert [served.valid for served in found] == [index not in (4, 7) for index in range(12)]
    assert [bool(served.problem) for served in found] == [index in (4, 7) for index in range(12)]
    good = [index for index in range(12) if index not in (4, 7)]
    assert [found[index].embedding[1] for index in good] == [(index + 1) * RATE for index in good]
    assert [len(batch) for batch in fake.models.versions[1].batches] == [6, 4]


def test_no_request_is_larger_than_its_limit(client, fake, songs, monkeypatch):
    """Songs of 1, 2, 3 and 4 s where six fit: 1 + 2 + 3, then 4."""
    monkeypatch.setattr(client_module, "_MOST_BYTES", 2 * 6 * RATE)
    assert len(list(client.embed_files([str(path) for path in songs[:4]]))) == 4
    assert fake.models.versions[1].batches == [[RATE, 2 * RATE, 3 * RATE], [4 * RATE]]


def test_of_a_song_longer_than_ten_minutes_the_first_ten_are_sent_and_it_is_remarked(client, tmp_path, monkeypatch):
    """Of exactly as many nothing is said."""
    monkeypatch.setattr(client_module, "MAX_SECS", 2)
    for secs in (2, 5):
        soundfile.write(tmp_path / f"{secs}.wav", np.full(secs * RATE, 0.5, np.float32), RATE)
    with pytest.warns(AudioWarning, match="^heard for its first ten minutes only$"):
        assert client.embed_file(str(tmp_path / "5.wav")).embedding[1] == 2 * RATE
    with pytest.warns(AudioWarning, match="^heard for its first ten minutes only$"):
        assert client.embed_waveform(np.full(2 * RATE + 1, 0.5)).embedding[1] == 2 * RATE
    assert client.embed_file(str(tmp_path / "2.wav")).remarks == ()
    assert client.embed_waveform(np.full(2 * RATE, 0.5)).remarks == ()


def test_what_is_louder_than_full_scale_is_remarked(client):
    """20 of 1000 samples; of one in 2000 nothing is said, which any mp3 may have."""
    wave = np.full(1000, 0.5)
    wave[-20:] = -1.5
    with pytest.warns(AudioWarning, match="2 % of its samples are louder than full scale, and are cut"):
        assert client.embed_waveform(wave).valid
    quiet = np.full(2000, 0.5)
    quiet[-1] = -1.5
    assert client.embed_waveform(quiet).remarks == ()


def test_threads_share_a_client(client, fake):
    found = {}

    def ask(samples):
        found[samples] = client.embed_waveform(np.full(samples, 0.5)).embedding[1]

    threads = [threading.Thread(target=ask, args=(1000 + index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {samples: samples for samples in range(1000, 1008)}


def test_neither_tensorflow_nor_librosa_is_loaded():
    code = "import tfmir.serving.client, tfmir.serving.rpc, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "grpc" in loaded
    assert not [name for name in loaded if name.split(".")[0] in ("tensorflow", "keras", "librosa", "faiss")]


def test_a_model_is_named_as_a_user_types_it(fake):
    """The only version is 1, which is labelled stable."""
    for typed in ("m", "m@1", "m@stable"):
        with Client.of(fake.rest, typed) as client:
            assert client.version == 1
    with Client.of(fake.rest, "m@7") as client, pytest.raises(UserError, match="no version 7 of 'm' there"):
        client.card()
    with pytest.raises(UserError, match="--model=@1: expected the name"):
        Client.of(fake.rest, "@1")
