import numpy as np
import pytest

from tfmir.errors import UserError
from tfmir.inference.audio import embed_file
from tfmir.inference.library import folder_library, split_library


def test_a_split_is_embedded_once(run, system, monkeypatch):
    first = split_library(run, system, "test")
    monkeypatch.setattr("tfmir.inference.library.embed_tracks", None)
    again = split_library(run, system, "test")
    np.testing.assert_array_equal(first.embeddings, again.embeddings)
    assert first.track_ids == again.track_ids
    assert any("genre/rock" in tags for tags in first.tags)


def test_a_folder_embeds_only_what_is_new_and_names_what_it_cannot_read(
    run, system, audio_folder, tmp_path, monkeypatch, capsys
):
    for name in ("00.flac", "01.flac"):
        (tmp_path / name).write_bytes((audio_folder / name).read_bytes())
    (tmp_path / "bad.mp3").write_text("no music")
    (tmp_path / "dead.mp3").symlink_to("nowhere.mp3")
    first = folder_library(run, system, tmp_path)
    assert first.track_ids == ("00.flac", "01.flac")
    told = capsys.readouterr().err
    assert "bad.mp3: left out: cannot be decoded" in told
    assert "left out: dead.mp3" in told
    (tmp_path / "bad.mp3").unlink()
    (tmp_path / "dead.mp3").unlink()
    (tmp_path / "02.flac").write_bytes((audio_folder / "02.flac").read_bytes())
    embedded = []
    monkeypatch.setattr(
        "tfmir.inference.library.embed_file", lambda s, path: embedded.append(path) or embed_file(s, path)
    )
    assert folder_library(run, system, tmp_path).track_ids == ("00.flac", "01.flac", "02.flac")
    assert embedded == [str(tmp_path / "02.flac")]


def test_a_folder_without_audio_is_refused(run, system, tmp_path):
    with pytest.raises(UserError, match="holds no audio"):
        folder_library(run, system, tmp_path)
    with pytest.raises(UserError, match="neither a folder nor a split"):
        folder_library(run, system, tmp_path / "nowhere")
