import pytest

from tfmir.errors import UserError
from tfmir.serving.endpoint import connect
from tfmir.serving.rest import Rest
from tfmir.serving.rpc import Grpc
from tfmir.serving.transport import Model, ServerError


@pytest.mark.parametrize(
    "endpoint", ["", "localhost:8501", "ftp://host", "http://", "grpc://:8500", "http://host:port", "http://host:99999"]
)
def test_what_is_no_endpoint_is_refused_with_an_example(endpoint):
    with pytest.raises(UserError, match=r"expected http://host:8501"):
        connect(endpoint)


@pytest.mark.parametrize(
    ("endpoint", "kind"),
    [
        ("http://host:8501", Rest),
        ("https://host/behind/a/path/", Rest),
        ("grpc://host", Grpc),
        ("grpcs://host:443", Grpc),
        ("grpc://[::1]:8500", Grpc),
    ],
)
def test_the_scheme_says_which_api_is_spoken(endpoint, kind):
    transport = connect(endpoint)
    assert type(transport) is kind
    transport.close()


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_no_proxy_leads_to_this_machine(fake, kind, monkeypatch):
    """Though the environment names one for everything: nobody listens there."""
    for name in ("http_proxy", "HTTP_PROXY", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    transport = connect(fake.endpoint(kind))
    assert transport.versions("m", 5) == [1]
    transport.close()


def test_elsewhere_it_is_as_the_environment_says(fake, monkeypatch):
    """The proxy, here a server that knows no such path, is asked for the whole address."""
    monkeypatch.setenv("http_proxy", fake.rest)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(ServerError, match="Malformed request: GET http://serving.invalid:8501/v1/models/m"):
        connect("http://serving.invalid:8501").versions("m", 5)
    monkeypatch.setenv("no_proxy", "serving.invalid")
    with pytest.raises(ServerError) as caught:
        connect("http://serving.invalid:8501").predict(Model("m"), "embed", {}, 5)
    assert caught.value.code == "UNAVAILABLE"
