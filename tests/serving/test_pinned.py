import time

import pytest

from tests.serving.conftest import INFO, WAV, FakeBundle
from tfmir.errors import UserError
from tfmir.serving import pinned
from tfmir.serving.pinned import PinnedModel
from tfmir.serving.transport import Model

UNAVAILABLE, EXHAUSTED, INVALID = 14, 8, 3


@pytest.fixture(params=["rest", "grpc"])
def ask(request, fake):
    """A pinned model of the fake server's, over either API."""
    made = []

    def model(name="m", version=None, label="", needed=(INFO, WAV), timeout_s=20):
        made.append(
            PinnedModel(fake.endpoint(request.param), Model(name, version, label), needed=needed, timeout_s=timeout_s)
        )
        return made[-1]

    yield model
    for each in made:
        each.close()


def card(model):
    (found,) = model.predict(INFO, {"request": [b""]}).values()
    return found[0].decode() if isinstance(found[0], bytes) else found[0]


def test_the_first_answer_pins_the_version_also_when_a_newer_one_comes(ask, fake):
    before = ask()
    assert before.pinned() == Model("m", 1)
    fake.models.versions[2] = FakeBundle(2)
    assert "1" * 64 in card(before)
    after = ask()
    assert "2" * 64 in card(after)
    assert "1" * 64 in card(ask(version=1))
    assert "1" * 64 in card(ask(label="stable"))
    fake.models.models["m"].config.version_labels["stable"] = 2
    assert "2" * 64 in card(ask(label="stable"))


def test_a_pinned_version_that_is_served_no_more_is_not_replaced(ask, fake):
    model = ask()
    model.pinned()
    fake.models.models["m"].versions = {2: FakeBundle(2), 3: FakeBundle(3)}
    with pytest.raises(UserError, match=r"no version 1 of 'm' there \(any more\): it serves 2, 3"):
        card(model)


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ({"name": "other"}, "no model 'other' there: give the name that it has in the server's models.config"),
        ({"version": 7}, r"no version 7 of 'm' there \(any more\): it serves 1"),
        ({"label": "canary"}, "refuses the request .*Unrecognized servable version label: canary"),
    ],
)
def test_what_is_not_there_is_named(ask, which, message):
    with pytest.raises(UserError, match=message):
        ask(**which).pinned()


@pytest.mark.parametrize("names", [(WAV,), (INFO,), ()])
def test_a_bundle_of_before_is_refused(ask, fake, names):
    missing = next(name for name in (INFO, WAV) if name not in names)
    fake.models.versions[1] = FakeBundle(1, names)
    with pytest.raises(UserError, match=f"version 1 of 'm' has no signature '{missing}': it was exported by an older"):
        ask().pinned()


def test_a_server_that_is_away_for_a_while_is_waited_for(ask, fake):
    model = ask()
    model.pinned()
    fake.models.failures[:] = [UNAVAILABLE, EXHAUSTED]
    assert card(model)
    assert not fake.models.failures


def test_a_request_that_is_refused_is_not_sent_again(ask, fake):
    model = ask()
    model.pinned()
    fake.models.failures[:] = [INVALID, INVALID]
    with pytest.raises(UserError, match="it refuses the request .*not now"):
        card(model)
    assert fake.models.failures == [INVALID]


def test_a_server_that_stays_full_is_told_at_the_deadline(ask, fake):
    model = ask(timeout_s=0.5)
    model.pinned()
    fake.models.failures[:] = [EXHAUSTED] * 99
    with pytest.raises(UserError, match="the server is full: try later"):
        card(model)
    assert 90 < len(fake.models.failures) < 98


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "grpc://127.0.0.1:9"])
def test_nobody_at_a_wrong_address_is_told_before_the_deadline(endpoint, monkeypatch):
    monkeypatch.setattr(pinned, "_PATIENCE_SECS", 0.3)
    start = time.monotonic()
    model = PinnedModel(endpoint, Model("m"), needed=(), timeout_s=60)
    with pytest.raises(UserError, match=f"{endpoint}: nobody answers there: start the server, or correct the endpoint"):
        model.pinned()
    assert time.monotonic() - start < 10
    model.close()
