import pytest

from tfmir import files
from tfmir.errors import UserError
from tfmir.params import RunParams, TrainParams
from tfmir.run_directory import Run
from tfmir.training.progress import Progress, load_progress, newest_backup, progress_of, save_progress
from tfmir.training.schedule import ScheduleState
from tfmir.vocabulary import Vocabulary


def progress(epoch, *, finished=False):
    return Progress(ScheduleState(0.1, epoch=epoch, finished=finished), [{"epoch": float(epoch)}])


def test_training_ends_with_the_schedule_or_with_the_epochs():
    assert [progress(3).has_ended(TrainParams(epochs=epochs)) for epochs in (2, 3, 4)] == [True, True, False]
    assert progress(3, finished=True).has_ended(TrainParams(epochs=4))


def test_the_newest_whole_backup_counts(tmp_path):
    """Epochs 9 and 10 are whole, that of 11 has weights only."""
    run = Run(tmp_path, RunParams(), Vocabulary.from_dict({"genre": ["a"]}), "r", "c", "CC0-1.0")
    assert newest_backup(tmp_path) is None
    assert progress_of(run) is None
    for epoch in (9, 10):
        save_progress(tmp_path / f"backup/epoch-{epoch:06d}", progress(epoch))
    (tmp_path / "backup/epoch-000011").mkdir()
    assert newest_backup(tmp_path) == tmp_path / "backup/epoch-000010"
    assert progress_of(run) == progress(10)


def test_another_versions_state_is_refused_with_the_remedy(tmp_path):
    files.write_json(tmp_path / "state.json", {"schedule": {"surprise": 1}, "history": []})
    with pytest.raises(UserError, match="not what this version writes .*surprise.*: remove it"):
        load_progress(tmp_path, remedy="remove it")
