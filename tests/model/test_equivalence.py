import keras
import numpy as np
import pytest

from tfmir.model.equivalence import map_weights

STEPS, BATCH = 20, 32


@pytest.mark.parametrize("encoder", ["inception", "statistics"])
def test_disentangled_proxy_and_disentangled_classification_are_one_function(tiny, excerpts, encoder):
    """Paper, eqs. 10 and 11: the sub-dense layers side by side are the one dense layer, and a tag's class vector is
    its proxy's part in the sub-space."""
    proxy, classification = tiny("proxy", encoder=encoder), tiny("classification_disentangled", encoder=encoder)
    assert np.abs(proxy(excerpts(6)) - classification(excerpts(6))).max() > 0.1
    map_weights(proxy, classification)
    np.testing.assert_allclose(proxy(excerpts(6)), classification(excerpts(6)), rtol=1e-4, atol=1e-5)


def trained(system):
    """The losses of the steps on a stream of excerpts whose bands are of different loudness, with tags at random."""
    system.compile(optimizer=keras.optimizers.Adam(0.005), jit_compile=False)
    draw, losses = np.random.default_rng(0), []
    for _ in range(STEPS):
        x = draw.random([BATCH, 1, 128], np.float32) + 0.2 * draw.random([BATCH, 129, 128], np.float32)
        targets = {"labels": draw.random([BATCH, 5]).round().astype(np.float32), "track": np.arange(BATCH)}
        system.reset_metrics()
        losses.append(system.train_on_batch(x, targets, return_dict=True)["loss"])
    return np.array(losses)


def departure(a, b):
    """By how much weights differ at most."""
    return max(np.abs(x - y).max() for x, y in zip(a, b, strict=True))


def test_trained_on_one_stream_they_stay_one_function_up_to_rounding(tiny):
    """How far rounding alone takes two runs apart is measured and not guessed: by a proxy system whose initial weights
    are each moved to the next float32. A sum in another order, of 16 columns or of two times 8, is off by a few such
    moves, which Adam may enlarge, as it divides a gradient by its own size, in the one pair as in the other: ten times
    as far is allowed. That is a thousandth of what training does to losses and weights at most."""
    proxy, moved = tiny("proxy", encoder="statistics"), tiny("proxy", encoder="statistics")
    classification, mapped = (tiny("classification_disentangled", encoder="statistics") for _ in range(2))
    map_weights(proxy, classification)
    before, hidden = classification.get_weights(), proxy.proxies.vectors.numpy()[proxy.proxies.mask == 0]
    moved.set_weights([np.nextafter(weight, np.float32(np.inf)) for weight in moved.get_weights()])
    losses = {name: trained(s) for name, s in (("p", proxy), ("m", moved), ("c", classification))}
    map_weights(proxy, mapped)
    map_weights(moved, again := tiny("classification_disentangled", encoder="statistics"))

    allowed = 10 * np.abs(losses["m"] - losses["p"]).max()
    assert np.abs(losses["c"] - losses["p"]).max() <= allowed
    assert allowed < 0.001 * np.ptp(losses["p"])
    allowed = 10 * departure(again.get_weights(), mapped.get_weights())
    assert departure(classification.get_weights(), mapped.get_weights()) <= allowed
    assert allowed < 0.001 * departure(classification.get_weights(), before)
    # What the mask hides of a proxy has no gradient, so Adam leaves it where it was drawn.
    np.testing.assert_array_equal(proxy.proxies.vectors.numpy()[proxy.proxies.mask == 0], hidden)
