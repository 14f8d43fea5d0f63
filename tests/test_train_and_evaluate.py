"""Two commands in one process, each with flags of its own."""

import pytest

from tfmir import evaluate, train
from tfmir.errors import UserError
from tfmir.train_and_evaluate import TrainAndEvaluateParams, main


@pytest.fixture
def done(monkeypatch):
    found = []
    monkeypatch.setattr(train, "train", lambda params, words: found.append((params, words)))
    monkeypatch.setattr(evaluate, "main", found.append)
    return found


def test_each_command_has_its_own_flags_and_the_run_that_both_share(done, tmp_path):
    (tmp_path / "my own.flags").write_text("--system=triplet\n")
    flags = f"'--flagfile={tmp_path}/my own.flags' --seed=3"
    main(TrainAndEvaluateParams(run="runs/a", train=flags, evaluate="--truth --nofigures"))
    (training, words), evaluation = done
    assert words == [f"--flagfile={tmp_path}/my own.flags", "--seed=3", "--run=runs/a"]
    assert (training.run, training.settings.training.seed, training.settings.system.system) == ("runs/a", 3, "triplet")
    assert (evaluation.run, evaluation.truth, evaluation.figures) == ("runs/a", True, False)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (TrainAndEvaluateParams(train="--seed=3"), "no run given"),
        (TrainAndEvaluateParams("runs/a", "--seed=x"), "--seed=x: no whole number"),
        (TrainAndEvaluateParams("runs/a", "--seed=3", "--seed=3"), "Unknown command line flag 'seed'"),
    ],
)
def test_wrong_flags_of_either_are_refused_before_the_training(done, asked, message):
    with pytest.raises(UserError, match=message):
        main(asked)
    assert not done
