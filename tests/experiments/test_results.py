import dataclasses
import json

import pytest

from tfmir import files
from tfmir.errors import UserError
from tfmir.experiments.contrasts import Contrast
from tfmir.experiments.findings import judge_contrasts
from tfmir.experiments.results import Side, load_results


def test_what_is_written_is_read_again(results, tmp_path):
    contrast = Contrast("a", "A", "5", "triplet", "plain", "R@1", primary=True)
    columns = results.labels.columns
    found = judge_contrasts([contrast], columns, {}, tracks=40)
    with_findings = Side(columns, found, found)
    for written in (results, dataclasses.replace(results, labels=with_findings, truth=with_findings)):
        files.write_json(tmp_path / "report.json", dataclasses.asdict(written))
        assert load_results(str(tmp_path / "report.json")) == written


def test_the_tables_of_version_2_can_still_be_read(results, tmp_path):
    names = ("corpus", "tracks", "notions", "switches")
    stored = {name: getattr(results, name) for name in names}
    stored |= {"columns": results.labels.columns, "seeds": 2, "schema_version": 2}
    files.write_json(tmp_path / "report.json", stored)
    assert load_results(str(tmp_path / "report.json")) == dataclasses.replace(results, seeds={})


def test_a_field_more_or_less_is_another_version(results, tmp_path):
    stored = dataclasses.asdict(results)
    for changed in ({**stored, "colour": "red"}, {k: v for k, v in stored.items() if k != "switches"}):
        files.write_json(tmp_path / "report.json", changed)
        with pytest.raises(UserError, match=r"(colour|switches).*compare again"):
            load_results(str(tmp_path / "report.json"))


@pytest.mark.parametrize(
    "text", ["{}", '{"schema_version": 2}', '{"schema_version": 3}', '{"schema_version": 1}', "[]", "no JSON"]
)
def test_what_is_no_comparison_is_refused(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(UserError, match="report.json"):
        load_results(str(tmp_path / "report.json"))


def test_the_report_of_a_run_is_none_of_a_comparison(tmp_path):
    (tmp_path / "report.json").write_text(json.dumps({"schema_version": 3, "run": "proxy", "system": {}}))
    with pytest.raises(UserError, match="the report of a run, proxy, and not of a comparison: name the report.json"):
        load_results(str(tmp_path / "report.json"))
    with pytest.raises(UserError, match=r"--stored=.*nowhere.json: no such file"):
        load_results(str(tmp_path / "nowhere.json"))
