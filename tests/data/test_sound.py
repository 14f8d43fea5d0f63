import warnings

import numpy as np
import pytest

from tfmir.data.sound import AudioWarning, Sound, joined, remarks


@pytest.mark.parametrize(("promised", "missing"), [(None, 0), (100, 0), (90, 0), (130, 30)])
def test_what_is_missing_is_what_was_promised_and_is_not_there(promised, missing):
    sound = Sound(np.zeros(100, np.float32), 50, promised)
    assert (sound.missing, sound.secs) == (missing, 2.0)


def test_blocks_are_joined_and_none_is_silence_of_no_length():
    np.testing.assert_array_equal(joined([np.ones(2, np.float32), np.zeros(1, np.float32)]), [1, 1, 0])
    assert (joined([]).shape, joined([]).dtype) == ((0,), np.float32)


def test_remarks_are_collected_and_not_shown(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with remarks() as said:
            warnings.warn("used as far as it goes", AudioWarning, stacklevel=1)
            warnings.warn("used as far as it goes", AudioWarning, stacklevel=1)
    assert said == ["used as far as it goes"] * 2
    assert not capsys.readouterr().err
