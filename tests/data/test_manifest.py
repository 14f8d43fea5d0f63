import dataclasses
import json
import pathlib

import numpy as np
import pytest

from tfmir.data.manifest import SCHEMA_VERSION, check_features, load_manifest, shard_of, shard_paths
from tfmir.errors import UserError
from tfmir.params import FeatureParams

FEATURES = FeatureParams()


def test_the_shard_of_a_track_never_changes():
    """Written down once: other values would orphan every record set that is half built."""
    assert [shard_of(name, 10) for name in ("a.mp3", "b/c.ogg", "é")] == [8, 9, 3]
    counts = np.bincount([shard_of(str(i), 8) for i in range(8000)])
    assert counts.min() > 880


def test_records_of_another_setting_are_refused_with_both_values(records):
    other = dataclasses.replace(FEATURES, hop_length=256)
    with pytest.raises(UserError, match="hop_length=512, this model needs hop_length=256"):
        check_features(load_manifest(records), other, source=records)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": SCHEMA_VERSION + 1}, f"schema version {SCHEMA_VERSION + 1}, expected {SCHEMA_VERSION}"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_manifest_of_another_version_is_refused(records, tmp_path, change, message):
    value = json.loads((pathlib.Path(records) / "manifest.json").read_text()) | change
    (tmp_path / "manifest.json").write_text(json.dumps(value))
    with pytest.raises(UserError, match=message):
        load_manifest(str(tmp_path))


def test_a_set_of_version_2_is_one_without_truth(records, tmp_path):
    """Its manifest has neither of the two fields."""
    value = json.loads((pathlib.Path(records) / "manifest.json").read_text()) | {"schema_version": 2}
    assert value.pop("annotated") is None
    assert all(split.pop("truth_counts") is None for split in value["splits"].values())
    (tmp_path / "manifest.json").write_text(json.dumps(value))
    found, newer = load_manifest(str(tmp_path)), load_manifest(records)
    assert not found.has_truth
    assert dataclasses.replace(found, schema_version=SCHEMA_VERSION) == newer
    assert found.fingerprint == newer.fingerprint


def test_a_missing_or_broken_manifest_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"python -m tfmir.prepare"):
        load_manifest(str(tmp_path))
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(UserError, match="not JSON"):
        load_manifest(str(tmp_path))


def test_an_unknown_split_is_refused(records):
    with pytest.raises(UserError, match="nosuch split has no tracks"):
        shard_paths(records, load_manifest(records), "nosuch")
