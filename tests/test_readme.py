"""README's commands and Python blocks, run as they stand, on a small corpus in an empty folder."""

import json
import re
import runpy
import subprocess

import pytest


def test_every_block_of_the_readme_ran(readme):
    for block, result in readme.results.items():
        assert result.returncode == 0, f"{block}\n{result.stderr[-2000:]}"
    assert len(readme.results) >= 9


def test_make_knows_the_two_commands(repository, readme_blocks):
    targets = re.findall(r"^make (\w+)", "\n".join(block for _, block in readme_blocks), re.MULTILINE)
    assert targets == ["demo", "test"]
    for target in targets:
        assert subprocess.run(["make", "-n", target], cwd=repository, capture_output=True).returncode == 0


@pytest.mark.parametrize("kept", ["runs", "audio", "tfrecords", "export"])
def test_make_clean_leaves_what_a_user_has_made(repository, kept):
    said = subprocess.run(["make", "-n", "clean"], cwd=repository, capture_output=True, text=True, check=True).stdout
    assert "build" in said
    assert not re.search(rf"\b{kept}\b", said)


def test_the_readme_names_files_that_are_there(repository):
    text = (repository / "README.md").read_text()
    for name in re.findall(r"`((?:tfmir|launch|export|tfrecords|docs)/[\w./]+\.\w+)`", text):
        assert name.startswith("export/models/") or name.endswith("rejected.tsv") or (repository / name).exists(), name


def test_searching_your_own_music_gave_documented_json(readme):
    result = next(result for block, result in readme.results.items() if block.endswith("--json"))
    found = json.loads(result.stdout)
    assert found["weights"] == {"mood": 1.0, "genre": 0.2}
    assert set(found["results"][0]) == {"rank", "track_id", "score", "similarities", "tags", "artist"}


def test_the_bundle_answered(readme):
    result = next(result for block, result in readme.results.items() if "saved_model.load" in block)
    assert result.stdout.strip() == "(1, 4) (1, 24)"


def test_the_tests_that_share_these_blocks_go_to_one_process(request):
    """pytest-xdist has lost its groups without a word before."""
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("one process runs everything, or tests are dealt otherwise")
    assert request.node.nodeid.endswith("@tests/test_readme.py")


@pytest.mark.parametrize(
    ("lock", "version", "runs"),
    [
        ("requirements.lock", (3, 10), False),
        ("requirements.lock", (3, 11), True),
        ("requirements.lock", (3, 13), True),
        ("requirements.lock", (3, 14), False),
        ("requirements-io.lock", (3, 9), False),
        ("requirements-io.lock", (3, 10), True),
        ("requirements-io.lock", (3, 12), True),
        ("requirements-io.lock", (3, 13), False),
    ],
)
def test_a_python_outside_the_range_of_a_lock_file_gets_one_line(repository, monkeypatch, lock, version, runs):
    monkeypatch.setattr("sys.version_info", (*version, 0, "final", 0))
    monkeypatch.setattr("sys.argv", ["check_python.py", lock])
    if runs:
        runpy.run_path(str(repository / "tools/check_python.py"))
        return
    with pytest.raises(SystemExit) as told:
        runpy.run_path(str(repository / "tools/check_python.py"))
    assert re.fullmatch(
        rf"{lock} needs Python 3\.\d+ to 3\.\d+; found 3\.{version[1]}: make PYTHON=.*", told.value.code
    )
