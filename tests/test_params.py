import dataclasses

import pytest

from tfmir.errors import UserError
from tfmir.params import EncoderParams, FeatureParams, RunParams, TrainParams, check, from_dict, to_dict


def test_json_round_trip_of_nested_parameters():
    params = RunParams(encoder=EncoderParams(width_multiplier=0.5), training=TrainParams(epochs=3))
    assert from_dict(RunParams, to_dict(params), source="x") == params


def test_unknown_and_missing_fields_name_the_file():
    values = to_dict(RunParams())
    values["encoder"].pop("blocks")
    with pytest.raises(UserError, match=r"a/params.json: field 'blocks'"):
        from_dict(RunParams, values, source="a/params.json")


@pytest.mark.parametrize("change", [{"epochs": 0}, {"learning_rate": 0.0}, {"cut_factor": 1.0}, {"seed": -1}])
def test_out_of_bounds_is_refused_also_when_nested(change):
    with pytest.raises(UserError, match=next(iter(change))):
        check(RunParams(training=dataclasses.replace(TrainParams(), **change)))


def test_defaults_are_the_papers_and_within_bounds():
    check(RunParams())
    assert (RunParams().training.learning_rate, RunParams().encoder.embedding_dim) == (0.005, 256)


def test_the_records_depend_on_the_spectrum_not_on_the_excerpt():
    changed = dataclasses.replace(FeatureParams(), mean=0.0, excerpt_secs=5.0)
    assert changed.track_params == FeatureParams().track_params
    assert dataclasses.replace(FeatureParams(), n_fft=2048).track_params != FeatureParams().track_params
