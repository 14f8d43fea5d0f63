import pytest

from tfmir.errors import UserError
from tfmir.params import RunParams
from tfmir.training.callbacks import ScheduleAndBackup


@pytest.mark.parametrize(
    "logs", [{"loss": 0.1, "val_loss": 0.0, "val_valid_triplets": 0.0}, {"loss": 0.1}], ids=["no triplet", "no pair"]
)
def test_a_validation_split_that_measures_nothing_is_refused_and_no_weights_are_best(tmp_path, logs):
    """Its loss would be 0 from the first epoch on, and that epoch's weights the best for ever."""
    keeper = ScheduleAndBackup(tmp_path, RunParams())
    keeper.on_epoch_begin(0)
    with pytest.raises(UserError, match="validation split gives no triplets.*--notion_sampling=natural"):
        keeper.on_epoch_end(0, logs)
    assert not list(tmp_path.iterdir())
