import dataclasses
import shutil

import pytest

from tfmir.data.manifest import load_manifest
from tfmir.errors import UserError
from tfmir.params import EncoderParams, PipelineParams, RunParams, SystemParams
from tfmir.run_directory import open_run
from tfmir.training.asked import asked_run, check_splits

PARAMS = RunParams(encoder=EncoderParams(embedding_dim=16))
TRIPLET = RunParams(system=SystemParams("triplet"))


def test_what_is_asked_for_is_a_run_of_the_records_and_nothing_is_written(records, tmp_path):
    run, manifest = asked_run(str(tmp_path / "new"), PARAMS, records)
    assert manifest == load_manifest(records)
    assert (run.path, run.params, run.records) == (tmp_path / "new", PARAMS, records)
    assert (run.vocabulary, run.fingerprint) == (manifest.vocabulary, manifest.fingerprint)
    assert not run.path.exists()


def test_a_directory_that_holds_another_run_is_refused(records, tmp_path):
    open_run(asked_run(str(tmp_path), PARAMS, records)[0])
    other = dataclasses.replace(PARAMS, encoder=EncoderParams(embedding_dim=32))
    with pytest.raises(UserError, match="its params.encoder.embedding_dim is 16, asked for 32"):
        asked_run(str(tmp_path), other, records)


def test_a_run_that_is_there_keeps_the_precision_that_was_measured(records, tmp_path):
    auto = PARAMS.with_precision("auto")
    assert asked_run(str(tmp_path), auto, records)[0].params == auto
    chosen, _ = asked_run(str(tmp_path), PARAMS.with_precision("bfloat16"), records)
    open_run(chosen)
    assert asked_run(str(tmp_path), auto, records)[0].params == chosen.params
    with pytest.raises(UserError, match="its params.training.precision is bfloat16, asked for float32"):
        asked_run(str(tmp_path), PARAMS, records)


def test_records_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(UserError, match="--records=nowhere: no manifest.json there"):
        asked_run(str(tmp_path), PARAMS, "nowhere")


def test_records_that_lack_a_shard_are_refused_before_tensorflow_is_asked_to_read_it(records, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(records, copy)
    first = load_manifest(str(copy)).splits["train"].shards[0].file
    for spoil in (lambda path: path.write_bytes(b""), lambda path: path.unlink()):
        spoil(copy / first)
        with pytest.raises(UserError, match=f"shards are missing, the first is {first}: give the prepare command"):
            asked_run(str(tmp_path / "new"), PARAMS, str(copy))


@pytest.mark.parametrize(("batch", "track_weight", "remedy"), [(3, 0.5, "use 4"), (3, 0.0, "use 4"), (2, 0.5, "use 4")])
def test_a_batch_that_gives_no_pairs_with_negatives_is_refused(records, tmp_path, batch, track_weight, remedy):
    system, pipeline = SystemParams("triplet", track_weight=track_weight), PipelineParams(batch_size=batch)
    with pytest.raises(UserError, match=remedy):
        asked_run(str(tmp_path / "new"), RunParams(system=system, pipeline=pipeline), records)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_records_without_a_split_are_refused(records, split):
    manifest = load_manifest(records)
    empty = dataclasses.replace(manifest.splits[split], tracks=0)
    for splits in ({**manifest.splits, split: empty}, {k: v for k, v in manifest.splits.items() if k != split}):
        with pytest.raises(UserError, match=f"the {split} split has no tracks"):
            check_splits(records, dataclasses.replace(manifest, splits=splits), PARAMS)


def test_triplets_of_a_training_split_without_any_tag_are_refused(records):
    """The pairs would be looked for without an end."""
    manifest = load_manifest(records)
    train_split = dataclasses.replace(manifest.splits["train"], notion_counts=(0, 0), tag_counts=(0,) * 4)
    bare = dataclasses.replace(manifest, splits=manifest.splits | {"train": train_split})
    check_splits(records, bare, PARAMS)
    with pytest.raises(UserError, match="no training track has a tag: --system=triplet learns from shared ones"):
        check_splits(records, bare, TRIPLET)
