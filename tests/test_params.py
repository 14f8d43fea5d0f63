import dataclasses

import numpy as np
import pytest

from tfmir.errors import UserError
from tfmir.fields import check
from tfmir.params import (
    MAX_SEED,
    FeatureParams,
    PipelineParams,
    RunParams,
    SystemParams,
    check_system,
)


def test_defaults_are_the_papers_and_within_bounds():
    check(RunParams())
    assert (RunParams().training.learning_rate, RunParams().encoder.embedding_dim) == (0.005, 256)


def test_the_records_depend_on_the_spectrum_not_on_the_excerpt():
    changed = dataclasses.replace(FeatureParams(), mean=0.0, excerpt_secs=5.0)
    assert changed.track_params == FeatureParams().track_params
    assert dataclasses.replace(FeatureParams(), n_fft=2048).track_params != FeatureParams().track_params


def test_the_largest_seed_is_that_of_numpy():
    np.random.RandomState(MAX_SEED)
    with pytest.raises(ValueError, match="Seed must be between 0 and 2\\*\\*32 - 1"):
        np.random.RandomState(MAX_SEED + 1)


def test_sizes_by_hand():
    """3 s are 66 150 samples, 129 whole hops of 512 and 102 samples. 10 minutes are 13 230 000, 25 839 hops and 432."""
    features = FeatureParams()
    assert (features.excerpt_samples, features.excerpt_frames, features.max_frames) == (66150, 129, 25839)
    half = dataclasses.replace(features, sample_rate=16000, hop_length=256, excerpt_secs=1.5)
    assert (half.excerpt_samples, half.excerpt_frames) == (24000, 93)


def test_an_epoch_and_a_pass_by_hand():
    """100 tracks, 3 excerpts of each in batches of 64: 300 excerpts are 5 batches, which hold 320. Cutting 4 at a time,
    a pass is 400 and no whole number of batches; of no tracks there is a batch all the same."""
    params = PipelineParams(excerpts_per_track=3)
    assert (params.cuts, params.batches(100), params.pass_excerpts(100)) == (3, 5, 320)
    four = dataclasses.replace(params, excerpts_per_read=4)
    assert (four.cuts, four.batches(100), four.pass_excerpts(100)) == (4, 5, 400)
    assert params.batches(0) == 1


SYSTEMS = [
    (SystemParams("proxy"), None),
    (SystemParams("proxy", disentangled=False), None),
    (SystemParams("triplet", disentangled=False), None),
    (SystemParams("classification", disentangled=False, normalized=False), None),
    (SystemParams("classification", normalized=False), "--disentangled needs --normalized"),
    (SystemParams("proxy", normalized=False), "--system=proxy --disentangled needs --normalized"),
    (SystemParams("triplet", disentangled=False, normalized=False), "--nodisentangled needs --normalized"),
    (SystemParams("joint", disentangled=False), "--system=joint needs --disentangled"),
    (SystemParams("triplet", track_weight=0.5), None),
    (SystemParams("joint", track_weight=0.5), "--track_weight=0.5 but --system=joint has no triplets"),
    (SystemParams("proxy", track_weight=0.5), "--track_weight=0.5 but --system=proxy has no triplets"),
]


@pytest.mark.parametrize(("system", "message"), SYSTEMS)
def test_switches_that_are_no_system_are_refused_with_the_remedy(system, message):
    if message:
        with pytest.raises(UserError, match=message):
            check_system(system)
    else:
        check_system(system)


def test_track_triplets_need_two_excerpts_of_a_track():
    groups = {weight: SystemParams("triplet", track_weight=weight).group for weight in (0.0, 0.5)}
    assert groups == {0.0: 1, 0.5: 2}
    assert SystemParams("triplet", track_weight=0.5).unit == SystemParams("triplet").unit == 2
    assert SystemParams("proxy").unit == 1
    uses = {name: SystemParams(name).uses_triplets for name in ("triplet", "joint", "proxy", "classification")}
    assert uses == {"triplet": True, "joint": False, "proxy": False, "classification": False}
