import warnings

import numpy as np
import pytest

from tfmir.data.sound import AudioError, AudioWarning, Sound, check_header, joined, remarks, too_loud


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


@pytest.mark.parametrize(("rate", "channels"), [(1000, 1), (22050, 2), (768_000, 1024)])
def test_headers_that_can_be_true(rate, channels):
    check_header(rate, channels)


@pytest.mark.parametrize(
    ("rate", "channels", "reason"),
    [
        (999, 1, "its header claims 999 Hz: expected 1000 to 768000"),
        (768_001, 1, "its header claims 768001 Hz: expected 1000 to 768000"),
        (-1, 1, "its header claims -1 Hz: expected 1000 to 768000"),
        (44100, 1025, "its header claims 1025 channels: expected 1024 at most"),
    ],
)
def test_headers_that_cannot_be_true_are_refused(rate, channels, reason):
    with pytest.raises(AudioError, match=f"^{reason}$"):
        check_header(rate, channels)


def test_what_is_too_loud_is_said_with_its_largest_sample():
    assert str(too_loud(np.float32([0, -3e38, 1]))) == "too loud for a log-mel: its largest sample is 3e+38"
