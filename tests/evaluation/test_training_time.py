from tfmir.evaluation.training_time import training_time


def test_training_time_is_the_median_epoch_times_their_number():
    """Seconds 2, 3, 40 (a pause): median 3, three epochs: 9; processors 4, 4, 5: 12."""
    rows = [{"seconds": s, "cpu_seconds": c} for s, c in ((2, 4), (3, 4), (40, 5))]
    wall, cpu = {"seconds_per_epoch": 3.0, "seconds": 9.0}, {"cpu_seconds_per_epoch": 4.0, "cpu_seconds": 12.0}
    assert training_time(rows) == {"epochs": 3, **wall, **cpu}
    assert training_time([]) is None
