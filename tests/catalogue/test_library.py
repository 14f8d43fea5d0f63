import os
import pathlib

import numpy as np
import pytest

from tfmir.catalogue.library import folder_library, split_library
from tfmir.errors import UserError
from tfmir.inference.audio import embed_files


def test_a_split_is_embedded_once(run, system, monkeypatch):
    first = split_library(run, system, "test")
    monkeypatch.setattr("tfmir.catalogue.library.embed_tracks", None)
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
    asked = []

    def noting(system, stretches):
        asked.extend(stretch.path for stretch in stretches)
        return embed_files(system, stretches)

    monkeypatch.setattr("tfmir.catalogue.library.embed_files", noting)
    assert folder_library(run, system, tmp_path).track_ids == ("00.flac", "01.flac", "02.flac")
    assert asked == [str(tmp_path / "02.flac")]


def test_a_folder_without_audio_is_refused(run, system, tmp_path):
    with pytest.raises(UserError, match="holds no audio"):
        folder_library(run, system, tmp_path)
    with pytest.raises(UserError, match="neither a folder nor a split"):
        folder_library(run, system, tmp_path / "nowhere")


def test_an_interrupted_call_keeps_what_it_has_done(run, system, audio_folder, tmp_path, monkeypatch):
    for name in ("00.flac", "01.flac", "02.flac"):
        (tmp_path / name).write_bytes((audio_folder / name).read_bytes())

    def interrupted(system, stretches):
        yield from embed_files(system, stretches[:2])
        raise KeyboardInterrupt

    monkeypatch.setattr("tfmir.catalogue.library.embed_files", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folder_library(run, system, tmp_path)
    asked = []
    monkeypatch.setattr("tfmir.catalogue.library.embed_files", lambda s, of: asked.append(of) or embed_files(s, of))
    assert len(folder_library(run, system, tmp_path).track_ids) == 3
    assert [stretch.path for stretch in asked[0]] == [str(tmp_path / "02.flac")]


def test_a_file_that_goes_while_the_folder_is_read_is_named(run, system, audio_folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "00.flac").write_bytes((audio_folder / "00.flac").read_bytes())
    monkeypatch.setattr("tfmir.catalogue.library.list_audio", lambda folder: ["00.flac", "gone.flac"])
    assert folder_library(run, system, tmp_path).track_ids == ("00.flac",)
    assert f"{tmp_path}/gone.flac: left out: missing: no such file" in capsys.readouterr().err


def test_a_folder_may_have_a_name_that_is_no_text(run, system, audio_folder, tmp_path):
    folder = pathlib.Path(os.fsdecode(os.fsencode(tmp_path) + b"/d\xe9j\xe0"))
    folder.mkdir()
    (folder / "00.flac").write_bytes((audio_folder / "00.flac").read_bytes())
    for _ in range(2):
        assert folder_library(run, system, folder).track_ids == ("00.flac",)
