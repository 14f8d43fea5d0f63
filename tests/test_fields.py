import dataclasses
import json
import sys

import pytest

from tfmir.errors import UserError
from tfmir.fields import check, from_dict, in_use, to_dict
from tfmir.params import MAX_SEED, EncoderParams, RunParams, SystemParams, TrainParams


def test_json_round_trip_of_nested_parameters():
    params = RunParams(encoder=EncoderParams(width_multiplier=0.5), training=TrainParams(epochs=3))
    assert from_dict(RunParams, json.loads(json.dumps(to_dict(params))), source="x") == params


def test_unknown_and_missing_fields_name_the_file():
    values = to_dict(RunParams())
    values["encoder"].pop("blocks")
    with pytest.raises(UserError, match=r"a/params.json: field 'blocks'"):
        from_dict(RunParams, values, source="a/params.json")
    with pytest.raises(UserError, match=r"a/params.json: field 'surprise'"):
        from_dict(RunParams, to_dict(RunParams()) | {"surprise": 1}, source="a/params.json")


@pytest.mark.parametrize("change", [{"epochs": 0}, {"learning_rate": 0.0}, {"cut_factor": 1.0}, {"seed": -1}])
def test_out_of_bounds_is_refused_also_when_nested(change):
    with pytest.raises(UserError, match=next(iter(change))):
        check(RunParams(training=dataclasses.replace(TrainParams(), **change)))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (EncoderParams(blocks=7), "--blocks=7 is too large: it must be at most 6"),
        (EncoderParams(width_multiplier=0.0), "--width_multiplier=0.0 is too small: it must be above 0"),
        (SystemParams(margin=float("nan")), "--margin=nan is too small: it must be at least 0.0"),
        (SystemParams(margin=float("inf")), f"--margin=inf is too large: it must be at most {sys.float_info.max}"),
        (TrainParams(seed=2**32), "--seed=4294967296 is too large: it must be at most 4294967295"),
        (TrainParams(epochs=2**31), "--epochs=2147483648 is too large: it must be at most 2147483647"),
        (SystemParams(negatives="soft"), "--negatives=soft is none of random, all, semihard, hard"),
    ],
)
def test_a_value_out_of_bounds_is_told_with_the_bound(params, message):
    with pytest.raises(UserError) as told:
        check(params)
    assert str(told.value) == message


def test_bounds_themselves_are_allowed():
    check(EncoderParams(blocks=6, embedding_dim=1))
    check(SystemParams(margin=0.0))
    check(TrainParams(epochs=1, max_cuts=0, seed=0))
    check(TrainParams(seed=MAX_SEED))


def test_settings_of_another_kind_are_not_in_use():
    proxy, triplet = (set(in_use(SystemParams(), kind)) for kind in ("proxy", "triplet"))
    assert proxy == {"system", "disentangled", "normalized", "unannotated_weight"}
    assert triplet == {"system", "disentangled", "normalized", "margin", "negatives", "track_weight"}
    assert "blocks" not in in_use(EncoderParams(), "statistics")
