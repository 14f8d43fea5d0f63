"""What the stand-in imitates of TensorFlow Serving, piece by piece; `test_served.py` asks it as a whole."""

import base64
import shutil
import threading

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format

from tests.serving.conftest import INFO, WAV, FakeBundle
from tests.serving.standin import messages
from tests.serving.standin.batching import Batching, BatchingParams, merge
from tests.serving.standin.failed import Failed
from tests.serving.standin.models import WARMUP, Models, predict, read_records
from tests.serving.standin.tensors import as_json, from_json, objects, to_array, to_proto
from tfmir.serving.wav_file import wav_bytes


def test_rows_are_padded_to_the_longest_with_their_first_value():
    """As batching_util.cc: `input.flat<T>()(0)`, of the tensor, not of the row."""
    short = np.float32([[1, 2], [3, 4]])
    longer = np.float32([[5, 6, 7]])
    found = merge([{"x": short}, {"x": longer}], 3, pads=True)["x"]
    assert found.tolist() == [[1, 2, 1], [3, 4, 1], [5, 6, 7]]
    repeated = merge([{"x": longer}], 3, pads=True)["x"]
    assert repeated.tolist() == [[5, 6, 7]] * 3
    with pytest.raises(Failed, match="different shapes"):
        merge([{"x": short}, {"x": longer}], 3, pads=False)
    with pytest.raises(Failed, match="Got empty tensor in batch of non-empty tensors"):
        merge([{"x": short}, {"x": np.zeros([1, 0], np.float32)}], 3, pads=True)


class Doubling:
    """Twice its input; keeps the batches that it was asked for."""

    def __init__(self):
        self.signatures, self.asked = {}, []

    def run(self, feeds, fetches):
        self.asked.append(feeds["x"].shape)
        if np.isnan(feeds["x"]).any():
            raise Failed(3, "no number")
        return [2 * feeds["x"] for _ in fetches]


def at_once(batching, arrays):
    found, start = {}, threading.Barrier(len(arrays))

    def call(index):
        start.wait()
        try:
            (found[index],) = batching.run({"x": arrays[index]}, ["y"])
        except Failed as failure:
            found[index] = str(failure)

    threads = [threading.Thread(target=call, args=(index,)) for index in range(len(arrays))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_requests_that_wait_become_one_run_and_each_gets_its_own_rows():
    model = Doubling()
    batching = Batching(model, BatchingParams(max_batch_size=4, batch_timeout_secs=5))
    arrays = [np.full([1 + index % 2, 2 + index], index, np.float32) for index in range(3)]  # 1 + 2 + 1 rows
    found = at_once(batching, arrays)
    assert model.asked == [(4, 4)]
    for index, array in enumerate(arrays):
        np.testing.assert_array_equal(found[index][:, : array.shape[1]], 2 * array)
    assert batching.sizes == [3]


def test_one_that_fails_fails_all_that_are_merged_with_it():
    batching = Batching(Doubling(), BatchingParams(max_batch_size=2, batch_timeout_secs=5))
    assert set(at_once(batching, [np.float32([[1]]), np.float32([[np.nan]])]).values()) == {"no number"}


def test_a_request_that_nobody_joins_runs_alone_and_one_that_is_too_large_does_not_run():
    model = Doubling()
    batching = Batching(model, BatchingParams(max_batch_size=3, batch_timeout_secs=0.01, allowed_batch_sizes=(2, 4)))
    assert batching.run({"x": np.float32([[1]])}, ["y"])[0].tolist() == [[2]]
    assert model.asked == [(2, 1)]  # rounded up to an allowed size
    with pytest.raises(Failed, match="Task size 4 is larger than maximum input batch size 3"):
        batching.run({"x": np.zeros([4, 1])}, ["y"])


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int32, np.int64, np.bool_, np.uint8])
def test_answers_are_in_typed_fields_which_tensorflow_reads(dtype):
    array = np.array([[0, 1, 1]], dtype)
    tensor = to_proto(array)
    assert not tensor.tensor_content
    np.testing.assert_array_equal(tf.make_ndarray(tensor), array)
    np.testing.assert_array_equal(to_array("x", tf.make_tensor_proto(array)), array)


def test_json_is_read_as_tensorflow_serving_reads_it():
    assert from_json([[1, 2.5], [3, float("nan")]], 1).tolist()[0] == [1, 2.5]
    data = {"b64": base64.b64encode(b"\x00\xff").decode()}
    assert from_json([data, "text"], 7).tolist() == [b"\x00\xff", b"text"]
    assert from_json([], 7).shape == (0,)
    for value, number in (([[1], [1, 2]], 1), ([1, [2]], 1), (["a"], 1), ([1.5], 3), ([True], 3), ([{"b64": "?"}], 7)):
        with pytest.raises(Failed) as caught:
            from_json(value, number)
        assert caught.value.code == 3
    assert as_json("card", objects([b"{}"])) == ["{}"]
    assert as_json("some_bytes", objects([b"\x00\xff"])) == [data]


@pytest.fixture
def base(tmp_path):
    """Folders of versions 1, 2 and 10, with warm-up requests in 10, written by TensorFlow."""
    for version in (1, 2, 10):
        (tmp_path / str(version)).mkdir()
    (tmp_path / ".3.tmp").mkdir()
    log = messages.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = WAV
    request.inputs["wav_bytes"].CopyFrom(tf.make_tensor_proto([wav_bytes(np.zeros(5), sample_rate=8000)] * 2))
    path = tmp_path / "10" / WARMUP
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString())
    return tmp_path


def models(base, **policy):
    config = messages.ModelServerConfig().model_config_list.config.add(name="m", base_path=str(base))
    if "specific" in policy:
        config.model_version_policy.specific.versions.extend(policy["specific"])
    if "all" in policy:
        config.model_version_policy.all.SetInParent()
    config.version_labels["stable"] = 2
    made = Models([config], lambda path: FakeBundle(int(path.name)))
    made.poll()
    return made


def spec(**which):
    asked = messages.ModelSpec(name="m", version_label=which.get("label", ""))
    if "version" in which:
        asked.version.value = which["version"]
    return asked


def test_the_newest_version_is_served_unless_the_configuration_says_which(base):
    newest = models(base)
    assert newest.find(spec())[0] == 10
    with pytest.raises(Failed, match=r"Servable not found for request: Specific\(m, 2\)"):
        newest.find(spec(label="stable"))
    some = models(base, specific=[1, 2])
    assert [some.find(spec(**which))[0] for which in ({}, {"version": 1}, {"label": "stable"})] == [2, 1, 2]
    shutil.copytree(base / "2", base / "11")
    some.poll()
    newest.poll()
    assert (some.find(spec())[0], newest.find(spec())[0]) == (2, 11)
    assert sorted(models(base, all=True).model("m").versions) == [1, 2, 10, 11]


def test_the_configuration_in_export_serves_its_version_under_its_label(base, repository):
    """`export/models.config`, in TensorFlow Serving's own message; another folder, because /models is a container's."""
    text = (repository / "export/models.config").read_text()
    (config,) = text_format.Parse(text, messages.ModelServerConfig()).model_config_list.config
    assert (config.name, config.model_platform) == ("tfmir", "tensorflow")
    assert set(config.version_labels.values()) <= set(config.model_version_policy.specific.versions)
    config.base_path = str(base)
    made = Models([config], lambda path: FakeBundle(int(path.name)))
    made.poll()
    assert made.find(messages.ModelSpec(name="tfmir", version_label="stable"))[0] == 1
    assert sorted(made.model("tfmir").versions) == [1]


def test_warm_up_requests_are_run_when_a_version_is_loaded(base):
    assert models(base).find(spec())[1].batches == [[5, 5]]
    path = base / "10" / WARMUP
    assert len(list(read_records(path))) == 1
    damaged = bytearray(path.read_bytes())
    damaged[40] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(Failed, match="corrupted record"):
        models(base)


def test_a_signatures_defaults_stand_for_inputs_that_are_left_out(base):
    bundle = FakeBundle(1)
    request = messages.PredictRequest()
    request.model_spec.signature_name = INFO
    with pytest.raises(Failed, match=r"Missing but required: \['request'\]"):
        predict(bundle, request)
    bundle.signatures[INFO].defaults["request"].CopyFrom(tf.make_tensor_proto([b"", b""]))
    assert len(predict(bundle, request)["card"]) == 2
