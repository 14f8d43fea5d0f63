import pytest

from tfmir.errors import UserError
from tfmir.folders import can_be_written, require_folder, require_writable


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    (tmp_path / "song.ogg").touch()
    require_folder("audio_dir", str(tmp_path))
    require_folder("audio_dir", f"file://{tmp_path}")
    for path in (tmp_path / "nowhere", tmp_path / "song.ogg"):
        with pytest.raises(UserError, match=rf"--audio_dir={path}: no such folder"):
            require_folder("audio_dir", str(path))


def test_a_place_below_a_folder_is_one_and_below_a_file_is_none(tmp_path, monkeypatch):
    """Root may write anywhere: what a folder's mode forbids cannot be shown by it."""
    (tmp_path / "song.ogg").touch()
    monkeypatch.chdir(tmp_path)
    for path in (".", "new/deeper", str(tmp_path)):
        assert can_be_written(path)
        require_writable("output", path)
    for path in ("song.ogg", "song.ogg/new", "/dev/null/new"):
        assert not can_be_written(path)
        with pytest.raises(UserError, match=f"--output={path}: nothing can be written there: name a folder that you"):
            require_writable("output", path)


def test_a_store_and_no_folder_at_all_are_not_looked_at():
    require_writable("output", "s3://bucket/x")
    require_writable("output", "")
