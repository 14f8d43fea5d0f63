import shutil

import numpy as np
import pytest

from tests.fixtures.embedded import songs as made_songs
from tests.fixtures.embedded import write_set
from tfmir import files
from tfmir.data.manifest import load_manifest
from tfmir.errors import UserError
from tfmir.evaluation.library.sources import open_source
from tfmir.inference.tracks import embed_tracks


@pytest.fixture
def embedded(run, tmp_path):
    """Twenty songs as tfmir.embed would have written them with the run's weights."""
    notions = {"genre": ["rock", "jazz"], "mood": ["calm", "wild"]}
    of = made_songs(20, dim=16, notions=notions)
    return of, write_set(tmp_path / "set", of, weights=files.sha256(run.best_weights), notions=notions)


def test_a_folder_has_the_songs_that_are_there(run, audio_folder, tmp_path, capsys):
    (tmp_path / "music").mkdir()
    shutil.copy2(audio_folder / "03.flac", tmp_path / "music/03.flac")
    table = tmp_path / "tags.csv"
    table.write_text("path,artist\n00.flac,A\n03.flac,B\n")
    source = open_source(run, str(tmp_path / "music"), str(table))
    assert (source.kind, source.missing) == ("folder", 1)
    assert (source.songs.paths, source.songs.artists) == (("03.flac",), ("B",))
    assert "1 of the 2 songs of" in capsys.readouterr().err
    (tmp_path / "music/03.flac").unlink()
    with pytest.raises(UserError, match="none of the 2 songs of .*tags.csv is there, the first is 00.flac"):
        open_source(run, str(tmp_path / "music"), str(table))
    with pytest.raises(UserError, match="no audio there"):
        open_source(run, str(tmp_path / "music"), "")
    with pytest.raises(UserError, match="nowhere: no such folder"):
        open_source(run, str(tmp_path / "nowhere"), "")


def test_embeddings_are_taken_as_they_are(run, embedded, capsys):
    of, folder = embedded
    source = open_source(run, folder, "")
    assert "statistics of the log-mel are left out" in capsys.readouterr().err
    assert (source.kind, source.songs.paths, source.missing) == ("embeddings", tuple(of.ids), 0)
    assert source.songs.artists == tuple(of.artists)
    assert [f"genre/{tag}" for (tag,) in source.songs.columns["genre"]] == [tags[0] for tags in of.tags]
    heard = source.hear(None)
    assert heard.statistics is None
    np.testing.assert_array_equal(heard.embeddings, of.vectors.astype(np.float32))


def test_embeddings_may_have_other_labels(run, embedded, tmp_path, capsys):
    of, folder = embedded
    table = tmp_path / "labels.csv"
    table.write_text(f"path,style\n{of.ids[3]},x\nabsent.mp3,y\n{of.ids[1]},y\n")
    source = open_source(run, folder, str(table))
    assert (source.songs.paths, source.missing) == ((of.ids[3], of.ids[1]), 1)
    np.testing.assert_array_equal(source.hear(None).embeddings, of.vectors[[3, 1]].astype(np.float32))


def test_embeddings_of_other_weights_are_refused(run, tmp_path):
    folder = write_set(tmp_path / "set", made_songs(5))
    with pytest.raises(UserError, match="embedded with the weights abababababab…, those of --run="):
        open_source(run, folder, "")


def test_of_records_it_is_the_test_split(run, system, records):
    source = open_source(run, records, "")
    manifest = load_manifest(records)
    expected = embed_tracks(system, records, manifest, "test")
    assert (source.kind, source.songs.paths) == ("records", expected.track_ids)
    heard = source.hear(system)
    np.testing.assert_array_equal(heard.embeddings, expected.embeddings)
    assert len(heard.statistics) == len(expected.track_ids)
    for column in ("genre", "mood"):
        names = [f"{column}/{tag}" for tag in manifest.vocabulary.to_dict()[column]]
        carried = expected.labels[:, manifest.vocabulary.tags_of(column)]
        of_songs = [{f"{column}/{tag}" for tag in tags} for tags in source.songs.columns[column]]
        assert of_songs == [{name for name, is_set in zip(names, row, strict=True) if is_set} for row in carried]
    with pytest.raises(UserError, match="holds records, which have their labels"):
        open_source(run, records, "tags.csv")
