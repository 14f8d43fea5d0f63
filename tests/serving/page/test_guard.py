"""Other sites: their names for this machine, their requests, their frames."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from tfmir.serving.page.guard import HEADERS, Guard, host_name, is_loopback


def client(*, loopback):
    app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("ours"), methods=["GET", "POST"])])
    return TestClient(Guard(app, loopback=loopback), base_url="http://127.0.0.1:8080")


HOSTS = [
    ("127.0.0.1:8080", 200),
    ("127.0.0.1", 200),
    ("localhost:8080", 200),
    ("LOCALHOST", 200),
    ("[::1]:8080", 200),
    ("127.0.0.2:1", 200),
    ("evil.example:8080", 421),
    ("127.0.0.1.evil.example", 421),
    ("localhost.evil.example", 421),
    ("evil.example@127.0.0.1", 421),
    ("192.168.0.7", 421),
    ("0.0.0.0", 421),
    ("", 421),
]


@pytest.mark.parametrize(("host", "status"), HOSTS)
def test_bound_to_this_machine_it_answers_to_its_own_names_only(host, status):
    assert client(loopback=True).get("/", headers={"Host": host}).status_code == status


def test_bound_elsewhere_it_answers_to_any_name():
    assert client(loopback=False).get("/", headers={"Host": "music.example"}).status_code == 200


POSTS = [
    ({}, 200),
    ({"Origin": "http://127.0.0.1:8080"}, 200),
    ({"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}, 200),
    ({"Sec-Fetch-Site": "none"}, 200),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "http://127.0.0.1:9999"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": ""}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-site"}, 403),
]


@pytest.mark.parametrize(("headers", "status"), POSTS)
def test_a_post_of_another_site_is_refused(headers, status):
    for loopback in (True, False):
        assert client(loopback=loopback).post("/", headers=headers).status_code == status


@pytest.mark.parametrize("request_", [("/", {}), ("/absent", {}), ("/", {"Host": "evil.example"})])
def test_every_answer_has_the_headers_that_keep_others_out(request_):
    address, headers = request_
    answer = client(loopback=True).get(address, headers=headers)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "access-control-allow-origin" not in answer.headers


def test_names_are_told_from_what_only_looks_like_them():
    assert [host_name(text) for text in ("a:1", "[::1]", "a", "a:b", "[::1", "a/b", ":1")] == [
        "a",
        "::1",
        "a",
        *[""] * 4,
    ]
    assert is_loopback("::1")
    assert not any(map(is_loopback, ("", "::", "10.0.0.1", "localhosts")))
