import json

import pytest

from tfmir.errors import UserError
from tfmir.training.cluster import ALONE, Cluster, read_cluster, refuse_cluster


def environment(cluster, kind="worker", index=0, **more):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}, **more})}


TWO = {"worker": ["a:1", "b:2"]}
WITH_CHIEF = {"worker": ["b:2", "c:3"], "chief": ["a:1"]}


@pytest.mark.parametrize(
    ("cluster", "kind", "index", "expected"),
    [
        (TWO, "worker", 0, Cluster(("a:1", "b:2"), 0)),
        (TWO, "worker", 1, Cluster(("a:1", "b:2"), 1)),
        (TWO, "worker", "1", Cluster(("a:1", "b:2"), 1)),  # a number in quotes, which TensorFlow takes too
        (WITH_CHIEF, "chief", 0, Cluster(("a:1", "b:2", "c:3"), 0, has_chief=True)),
        (WITH_CHIEF, "worker", 1, Cluster(("a:1", "b:2", "c:3"), 2, has_chief=True)),
        ({"worker": ["[::1]:80", "n-1.x.svc:2222"]}, "worker", 0, Cluster(("[::1]:80", "n-1.x.svc:2222"), 0)),
    ],
)
def test_the_chief_comes_first_and_the_workers_follow_in_their_order(cluster, kind, index, expected):
    found = read_cluster(environment(cluster, kind, index, environment="cloud"))
    assert found == expected
    assert (found.several, found.is_chief) == (True, expected.index == 0)
    assert found.workers == len(found.addresses)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"TF_CONFIG": ""},
        {"TF_CONFIG": "{}"},
        environment({}),
        environment({"worker": ["a:1"]}),
        environment({"chief": ["a:1"]}, "chief"),
    ],
)
def test_one_process_trains_alone(variables):
    found = read_cluster(variables)
    assert found == ALONE
    assert (found.several, found.is_chief, found.workers) == (False, True, 1)


def test_messages_name_a_worker_as_tf_config_does():
    assert [Cluster(("a:1", "b:2"), 0).name(i) for i in (0, 1)] == ["worker 0 (a:1)", "worker 1 (b:2)"]
    with_chief = read_cluster(environment(WITH_CHIEF, "worker", 1))
    assert [with_chief.name(i) for i in (0, 1)] == ["chief 0 (a:1)", "worker 0 (b:2)"]
    assert with_chief.own_name == "worker 1 (c:3)"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"TF_CONFIG": "{cluster"}, "it is not JSON"),
        ({"TF_CONFIG": "[]"}, r"it is \[\], expected an object"),
        (environment(["a:1"]), r'"cluster" is \["a:1"\], expected an object'),
        ({"TF_CONFIG": json.dumps({"cluster": TWO})}, '"task" is null, expected an object'),
        (environment(TWO, "chief"), "its task has the type 'chief', expected 'worker', as in its \"cluster\""),
        (environment(TWO, "worker", 2), "its task has the index 2, expected one of 0..1"),
        (environment(TWO, "worker", -1), "its task has the index -1"),
        (environment(TWO, "worker", None), "its task has the index None"),
        (environment(TWO, "worker", True), "its task has the index True"),
        (environment({**TWO, "ps": ["p:1"]}), "its cluster has the role 'ps', expected \"worker\""),
        (environment({**TWO, "evaluator": ["p:1"]}), "the role 'evaluator'.*evaluates .tfmir.evaluate does"),
        (
            environment({"worker": "a:1,b:2"}),
            "its 'worker' has the addresses \"a:1,b:2\", expected a list of host:port",
        ),
        (environment({"worker": ["a:1", "b"]}), "expected a list of host:port"),
        (environment({"worker": ["a:1", "b:70000"]}), "expected a list of host:port"),
        (environment({"worker": ["a:1", ":2"]}), "expected a list of host:port"),
        (environment({"worker": ["a:1", "http://b:2"]}), "expected a list of host:port"),
        (environment({"worker": ["a:1", "::1:2"]}), "expected a list of host:port"),
        (environment({"worker": ["a:1", "b c:2"]}), "expected a list of host:port"),
        (environment({"worker": []}), "expected a list of host:port"),
        (environment({"worker": ["a:1", "a:1"]}), "it names a:1 twice"),
        (environment({**WITH_CHIEF, "chief": ["a:1", "d:4"]}), "it has 2 chiefs, expected one"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_what_was_expected(variables, message):
    with pytest.raises(UserError, match=f"^TF_CONFIG: .*{message}.*unset it to train on one machine$") as told:
        read_cluster(variables)
    assert "\n" not in str(told.value)


def test_a_command_that_trains_by_itself_is_refused_on_several_machines(monkeypatch):
    refuse_cluster("tune", "unset it")
    monkeypatch.setenv("TF_CONFIG", environment(TWO)["TF_CONFIG"])
    with pytest.raises(UserError, match="^TF_CONFIG names several machines, which tune cannot use together: unset it$"):
        refuse_cluster("tune", "unset it")
