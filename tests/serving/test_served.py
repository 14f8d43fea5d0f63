"""Every kind of request and its outcome, through TensorFlow's C++ loader; against host and port, see `conftest.py`."""

import io
import json
import shutil
import threading

import numpy as np
import pytest
import soundfile

from tfmir.serving import wire
from tfmir.serving.client import Client
from tfmir.serving.endpoint import connect
from tfmir.serving.transport import Model, ServerError
from tfmir.serving.wav_file import wav_bytes

RATE = 22050
EXCERPT, TEN_MINUTES = 3 * RATE, 600 * RATE
DEFAULT, RAGGED, WAVS, MELS = (f"serving_default{suffix}" for suffix in ("", "_num_samples", "_wav_bytes", "_log_mel"))


def song(secs, seed=0):
    return np.random.default_rng(seed).uniform(-0.4, 0.4, round(secs * RATE)).astype(np.float32)


def wav(samples, rate=RATE, subtype="PCM_16"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype=subtype)
    return file.getvalue()


def rows(*songs):
    """`waveform` and `num_samples`; behind a song's end stands what is not to be heard: its first value."""
    longest = max(map(len, songs))
    padded = [np.pad(s, (0, longest - len(s)), constant_values=s[0] if len(s) else np.nan) for s in songs]
    return {"waveform": np.stack(padded), "num_samples": np.array([len(s) for s in songs], np.int32)}


def with_value(value):
    wave = song(4)
    wave[1000] = value
    return wave


def alone(*songs):
    return {"waveform": np.stack(songs)}


SONG = song(7)
GOOD, NAN_BEHIND = wav(SONG), np.append(song(4), np.float32(np.nan))
# What is asked, of which signature -> the excerpts of each row that is valid, and 0 of one that is not.
TABLE = {
    "3 s": (DEFAULT, alone(song(3)), [1]),
    "a sample": (DEFAULT, alone(SONG[:1]), [1]),
    "shorter than 3 s by a sample": (DEFAULT, alone(song(3)[:-1]), [1]),
    "ten minutes": (DEFAULT, alone(song(600)), [200]),
    "batch 8": (DEFAULT, alone(*[song(7, seed) for seed in range(8)]), [2] * 8),
    "batch 0": (DEFAULT, {"waveform": np.zeros([0, EXCERPT], np.float32)}, []),
    "ragged batch 8": (RAGGED, rows(*[song(1 + 2 * n, n) for n in range(8)]), [1, 1, 1, 2, 3, 3, 4, 5]),
    "NaN in one row": (DEFAULT, alone(song(4), with_value(np.nan)), [1, 0]),
    "infinite in one row": (DEFAULT, alone(with_value(-np.inf), song(4)), [0, 1]),
    "as loud as float32 can be": (DEFAULT, alone(np.full(4 * RATE, 3e38, np.float32), song(4)), [0, 1]),
    "no samples": (DEFAULT, {"waveform": np.zeros([2, 0], np.float32)}, [0, 0]),
    "one row without samples": (RAGGED, rows(song(3), song(0)), [1, 0]),
    "num_samples beyond the row": (RAGGED, rows(SONG) | {"num_samples": np.int32([10**9])}, [0]),
    "num_samples below 0": (RAGGED, rows(SONG) | {"num_samples": np.int32([-1])}, [0]),
    "NaN behind the end": (RAGGED, alone(NAN_BEHIND) | {"num_samples": np.int32([4 * RATE])}, [1]),
    "log-mel": (MELS, {"log_mel": np.zeros([2, 129, 128], np.float32)}, [1, 1]),
    "NaN in a log-mel": (MELS, {"log_mel": np.full([1, 129, 128], np.nan, np.float32)}, [0]),
    "wav": (WAVS, {"wav_bytes": [GOOD]}, [2]),
    "our wav": (WAVS, {"wav_bytes": [wav_bytes(SONG, sample_rate=RATE)]}, [2]),
    "stereo wav": (WAVS, {"wav_bytes": [wav(np.stack([SONG, -SONG / 2], 1)), GOOD]}, [2, 2]),
    "wavs of 3 s and 9 s": (WAVS, {"wav_bytes": [wav(song(3)), wav(song(9.1))]}, [1, 3]),
    "no wav at all": (WAVS, {"wav_bytes": [GOOD, b"no wav, though longer than a header of 44 bytes"]}, [2, 0]),
    "an empty string": (WAVS, {"wav_bytes": [b"", GOOD]}, [0, 2]),
    "half a header": (WAVS, {"wav_bytes": [GOOD[:20], GOOD]}, [0, 2]),
    "a header alone": (WAVS, {"wav_bytes": [GOOD[:44], GOOD]}, [0, 2]),
    "a wav cut at 4 of 7 s": (WAVS, {"wav_bytes": [GOOD[: 44 + 8 * RATE]]}, [1]),
    "a wav cut within a sample": (WAVS, {"wav_bytes": [GOOD[: 45 + 8 * RATE]]}, [1]),
    "no wavs": (WAVS, {"wav_bytes": []}, []),
}  # fmt: skip
# What is asked, of which signature -> what the refusal says.
REFUSED = {
    "longer than ten minutes": (DEFAULT, {"waveform": np.zeros([1, TEN_MINUTES + 1], np.float32)}, "10 minutes"),
    "a wav longer than ten minutes": (WAVS, {"wav_bytes": [wav(np.zeros(TEN_MINUTES + 1))]}, "10 minutes"),
    "one axis": (DEFAULT, {"waveform": SONG[:10]}, "waveform"),
    "three axes": (DEFAULT, {"waveform": SONG[np.newaxis, np.newaxis]}, "waveform"),
    "float64": (DEFAULT, {"waveform": SONG[np.newaxis].astype(np.float64)}, "float"),
    "int32": (DEFAULT, {"waveform": np.zeros([1, EXCERPT], np.int32)}, "float"),
    "num_samples of int64": (RAGGED, rows(SONG) | {"num_samples": np.int64([5])}, "int32"),
    "too few num_samples": (RAGGED, rows(SONG, SONG) | {"num_samples": np.int32([5])}, "size|one for each"),
    "no num_samples": (RAGGED, alone(SONG), "num_samples"),
    "an input too many": (DEFAULT, alone(SONG) | {"x": np.float32([1])}, "input"),
    "another rate": (WAVS, {"wav_bytes": [wav(SONG, 44100)]}, "22050 Hz"),
    "24 bits": (WAVS, {"wav_bytes": [wav(SONG, subtype="PCM_24")]}, "16-bit PCM"),
    "floats in a wav": (WAVS, {"wav_bytes": [wav(SONG, subtype="FLOAT")]}, "16-bit PCM"),
    "samples for wavs": (WAVS, {"wav_bytes": np.float32([1])}, "string"),
    "130 frames": (MELS, {"log_mel": np.zeros([1, 130, 128], np.float32)}, "129"),
    "no such signature": ("embed_nothing", alone(SONG), "embed_nothing"),
}  # fmt: skip


@pytest.fixture(scope="module", params=["grpc"])
def transport(server):
    made = connect(server.grpc)
    yield made
    made.close()


@pytest.fixture(scope="module")
def ask(transport, server):
    return lambda signature, **inputs: transport.predict(Model(server.model), signature, inputs, 120)


@pytest.fixture(scope="module")
def card(server):
    with Client(server.grpc, model=server.model) as client:
        return client.card()


@pytest.mark.parametrize("what", TABLE)
def test_what_can_be_served_is_row_by_row(ask, card, what):
    """A valid row is of unit norm in the whole space and in each sub-space that is alive; any other is zeros."""
    signature, inputs, excerpts = TABLE[what]
    found = ask(signature, **inputs)
    assert found["excerpts"].tolist() == excerpts
    valid = np.array(excerpts, bool)
    np.testing.assert_array_equal(found["valid"], valid)
    assert found["alive"].shape == (len(valid), len(card["notions"]))
    assert found["scores"].shape == (len(valid), len(card["tags"]))
    norms = np.linalg.norm(found["embedding"], axis=1)
    np.testing.assert_allclose(norms, valid.astype(float), atol=1e-4)
    for column, notion in enumerate(card["notions"]):
        norms = np.linalg.norm(found[f"embedding_{notion}"], axis=1)
        np.testing.assert_allclose(norms, found["alive"][:, column].astype(float), atol=1e-4)
    for name, values in found.items():
        assert np.isfinite(values).all(), name
        assert not values[~valid].any(), name


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_is_refused_with_what_is_expected(ask, what):
    signature, inputs, message = REFUSED[what]
    with pytest.raises(ServerError, match=message) as caught:
        ask(signature, **inputs)
    assert caught.value.code in ("INVALID_ARGUMENT", "FAILED_PRECONDITION")


def test_more_than_1600_excerpts_in_a_request_are_refused(transport, server):
    """15 songs of 107 excerpts, which are silence: one value and a shape, or 424 MB would be sent."""
    request = wire.PredictRequest(model_spec=wire.ModelSpec(name=server.model, signature_name=DEFAULT))
    silence = wire.TensorProto(dtype=1, float_val=[0.0])
    for size in (15, 107 * EXCERPT + RATE):
        silence.tensor_shape.dim.add(size=size)
    request.inputs["waveform"].CopyFrom(silence)
    with pytest.raises(ServerError, match=r"1600 excerpts(.|\n)*1605") as caught:
        transport._ask("Predict", request, 60)
    assert caught.value.code == "INVALID_ARGUMENT"


@pytest.fixture(scope="module")
def songs():
    """Of 1 to 15 s."""
    return [song(1 + 2 * index, index) for index in range(8)]


@pytest.fixture(scope="module")
def expected(ask, songs):
    """Each song alone, as it is."""
    found = [ask(DEFAULT, waveform=each[np.newaxis]) for each in songs]
    return {name: np.concatenate([each[name] for each in found]) for name in found[0]}


def same(found, expected):
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-6, err_msg=name)


def test_a_ragged_batch_is_each_song_alone(ask, songs, expected):
    same(ask(RAGGED, **rows(*songs)), expected)


def test_wavs_of_different_lengths_are_each_song_alone(ask, songs):
    """Whole numbers of 16 bits: from floats, libsndfile would write 32767 times the sample."""
    heard = [np.round(each * 32768).astype(np.int16) for each in songs]
    found = ask(WAVS, wav_bytes=[wav(each) for each in heard])
    same(found, ask(RAGGED, **rows(*[each.astype(np.float32) / 32768 for each in heard])))


def test_the_mean_of_the_channels_is_heard(ask, songs):
    left = np.round(songs[3] * 32768).astype(np.int16)
    found = ask(WAVS, wav_bytes=[wav(np.stack([left, left - 2000], 1)), wav(left - 1000)])
    for name, values in found.items():
        np.testing.assert_allclose(values[0], values[1], atol=1e-6, err_msg=name)


@pytest.mark.parametrize("signature", [RAGGED, WAVS])
def test_requests_that_are_merged_are_each_as_if_alone(ask, songs, expected, signature):
    """Eight callers at once, whose rows the server pads with their first value; one of them sends nonsense."""
    found, start = {}, threading.Barrier(len(songs) + 1)
    bad = {"waveform": np.full([1, RATE], np.nan, np.float32), "num_samples": np.int32([RATE])}

    def call(index):
        start.wait()
        if signature.endswith("_wav_bytes"):
            inputs = {"wav_bytes": [b"nonsense" if index < 0 else wav(songs[index])]}
        else:
            inputs = bad if index < 0 else rows(songs[index])
        found[index] = ask(signature, **inputs)

    threads = [threading.Thread(target=call, args=(index,)) for index in range(-1, len(songs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not found[-1]["valid"][0]
    merged = {name: np.concatenate([found[index][name] for index in range(len(songs))]) for name in expected}
    if signature.endswith("_num_samples"):
        same(merged, expected)
    else:  # 16 bits
        np.testing.assert_allclose(merged["embedding"], expected["embedding"], atol=1e-3)
        np.testing.assert_array_equal(merged["excerpts"], expected["excerpts"])


def test_every_excerpt_has_a_vector_of_its_own_and_their_mean_is_the_songs(ask, songs, expected):
    found = ask("excerpts_num_samples", **rows(*songs))
    counts = expected["excerpts"]
    assert found["embedding"].shape[:2] == found["mask"].shape == (8, counts.max())
    np.testing.assert_array_equal(found["mask"].sum(axis=1), counts)
    assert not found["embedding"][~found["mask"]].any()
    mean = found["embedding"].sum(axis=1) / counts[:, np.newaxis]
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(mean, expected["embedding"], atol=1e-5)


def test_json_by_row_and_by_column_says_what_grpc_says(server, ask, songs, expected):
    rest = connect(server.rest)
    wave = songs[0][:2000]
    said = ask(DEFAULT, waveform=np.stack([wave, -wave]))
    by_column = rest.predict(Model(server.model), DEFAULT, {"waveform": np.stack([wave, -wave])}, 60)
    same(by_column, said)
    body = b'{"instances": [%s, %s]}' % (str(wave.tolist()).encode(), str((-wave).tolist()).encode())
    by_row = rest._ask(f"/v1/models/{server.model}:predict", body, 60)["predictions"]
    same({name: np.array([row[name] for row in by_row]) for name in by_row[0]}, said)
    with pytest.raises(ServerError, match="unexpected size") as caught:
        rest._ask(f"/v1/models/{server.model}:predict", b'{"instances": [[0.1, 0.2], [0.3]]}', 60)
    assert caught.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_the_client_hears_a_file_as_the_run_does(server, kind, run, system, audio_folder, card):
    """`embed_file` of the run itself decodes the same file, and embeds it from float32: 16 bits differ in the fourth
    place. A real server may serve another run."""
    from tfmir.inference.audio import embed_file

    with Client(server.endpoint(kind), model=server.model) as client:
        found = client.embed_file(str(audio_folder / "02.flac"))
        assert client.card() == card
        if card["weights_sha256"] != run_sha256(run):
            pytest.skip("the server serves another run")
        client.refuse_other_weights(run_sha256(run))
        np.testing.assert_allclose(found.embedding, embed_file(system, str(audio_folder / "02.flac")), atol=1e-3)
        assert (found.excerpts, found.valid, len(found.scores)) == (2, True, len(card["tags"]))


def test_search_asks_the_server_for_a_file_that_no_index_has(
    server, run, records, audio_folder, tmp_path, card, capsys
):
    """The song is in the index under its own name; a copy elsewhere is not, and sounds the same."""
    from tests.fixtures.cluster import no_cluster
    from tests.fixtures.commands import called

    if card["weights_sha256"] != run_sha256(run):
        pytest.skip("the server serves another run")
    with no_cluster():
        called("embed", f"--run={run.path}", f"--library={audio_folder}", f"--output={tmp_path}/embedded")
    called("index", f"--embeddings={tmp_path}/embedded", f"--output={tmp_path}/index", "--maps=none")
    copy = shutil.copy(audio_folder / "02.flac", tmp_path / "copy.flac")
    capsys.readouterr()
    asked = [f"--index={tmp_path}/index", f"--endpoint={server.rest}", f"--model={server.model}", f"--like={copy}"]
    called("search", *asked, "--weights=mood=1", "--json")
    first = json.loads(capsys.readouterr().out)["results"][0]
    assert first["score"] == pytest.approx(1.0, abs=1e-3)
    assert first["similarities"]["mood"] == pytest.approx(1.0, abs=1e-3)


def run_sha256(run):
    from tfmir import files

    return files.sha256(run.best_weights)
