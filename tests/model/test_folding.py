import numpy as np
import pytest

from tfmir.model.folding import folded
from tfmir.model.triplet import TripletSystem


def lived_in(system):
    """A system whose moments, scales and offsets are no longer those of the start."""
    draw = np.random.default_rng(0)
    for variable in system.encoder.weights:
        if "norm" in variable.path:
            low, high = (0.5, 2.0) if "scale" in variable.path or "variance" in variable.path else (-0.3, 0.3)
            variable.assign(draw.uniform(low, high, variable.shape))
    if isinstance(system, TripletSystem):
        system.prototypes.vectors.assign(draw.uniform(0, 1, system.prototypes.vectors.shape))
    return system


@pytest.mark.parametrize("encoder", ["inception", "statistics"])
def test_a_folded_system_is_the_same_function_without_normalisation(tiny, name, encoder, excerpts):
    system = lived_in(tiny(name, encoder=encoder))
    before = [array.copy() for array in system.get_weights()]
    bare = folded(system, precision="float32")
    assert type(bare) is type(system)
    assert not [variable.path for variable in bare.weights if "norm" in variable.path]
    for call in (lambda of: of.encode(excerpts(3)), lambda of: of.scores(of.excerpt_embeddings(excerpts(3)))):
        expected = call(system).numpy()
        assert np.abs(expected).max() > 0.1
        np.testing.assert_allclose(call(bare), expected, rtol=1e-4, atol=1e-5)
    for one, other in zip(before, system.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_without_normalisation_is_copied(tiny, excerpts):
    bare = folded(tiny(), precision="float32")
    again = folded(bare, precision="float32")
    np.testing.assert_array_equal(again.encode(excerpts(2)), bare.encode(excerpts(2)))


def test_it_computes_in_the_precision_that_was_asked_for(tiny):
    assert folded(tiny(), precision="bfloat16").compute_dtype == "bfloat16"
