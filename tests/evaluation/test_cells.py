from tfmir.evaluation.cells import figure, undefined, with_interval


def test_what_is_not_there_is_a_dash():
    assert figure(None) == with_interval(None) == "–"
    assert figure(0.12345) == "0.123"
    assert with_interval({"mean": 1.0, "low": None, "high": 2.0}) == "1.000 [–, 2.000]"


def test_what_is_not_defined_for_one_reason_is_one_line():
    report = {"undefined": {"recall 4": "too few", "recall 8": "too few", "ratio": "no audio"}}
    assert undefined(report) == ["recall 4, recall 8: too few", "ratio: no audio"]
    many = {"undefined": dict.fromkeys([f"roc_auc_tag {tag}" for tag in "abcde"], "no test track carries it")}
    shown = "roc_auc_tag a, roc_auc_tag b and 3 more (see the report): no test track carries it"
    assert undefined(many, most=2) == [shown]
    assert undefined(report, most=2) == undefined(report)
    assert undefined({}) == []  # an older report
