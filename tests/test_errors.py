import pickle

import pytest

from tfmir.data.audio import AudioError
from tfmir.errors import UserError


def test_it_is_none_of_the_errors_that_a_decoder_raises():
    """What is caught around libsndfile and around the disk must not swallow a message that a user is meant to read."""
    assert not issubclass(UserError, (OSError, ValueError, TypeError, RuntimeError, MemoryError, LookupError))


@pytest.mark.parametrize("kind", [UserError, AudioError])
def test_it_reaches_the_user_from_another_process(kind):
    """A worker's errors travel as pickles."""
    found = pickle.loads(pickle.dumps(kind("a.mp3: expected b, found c")))
    assert (type(found), str(found)) == (kind, "a.mp3: expected b, found c")
