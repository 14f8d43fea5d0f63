import dataclasses
import json

import pytest

from tfmir import files
from tfmir.errors import UserError
from tfmir.experiments.results import load_results


def test_what_is_written_is_read_again(results, tmp_path):
    files.write_json(tmp_path / "report.json", dataclasses.asdict(results))
    assert load_results(str(tmp_path / "report.json")) == results


def test_a_field_more_or_less_is_another_version(results, tmp_path):
    stored = dataclasses.asdict(results)
    for changed in ({**stored, "colour": "red"}, {k: v for k, v in stored.items() if k != "switches"}):
        files.write_json(tmp_path / "report.json", changed)
        with pytest.raises(UserError, match=r"(colour|switches).*compare again"):
            load_results(str(tmp_path / "report.json"))


@pytest.mark.parametrize("text", ["{}", '{"schema_version": 2}', "[]", "no JSON"])
def test_what_is_no_comparison_is_refused(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(UserError, match="report.json"):
        load_results(str(tmp_path / "report.json"))


def test_the_report_of_a_run_is_none_of_a_comparison(tmp_path):
    (tmp_path / "report.json").write_text(json.dumps({"schema_version": 2, "run": "proxy", "system": {}}))
    with pytest.raises(UserError, match="a field is unknown or missing"):
        load_results(str(tmp_path / "report.json"))
    with pytest.raises(UserError, match=r"--stored=.*nowhere.json: no such file"):
        load_results(str(tmp_path / "nowhere.json"))
