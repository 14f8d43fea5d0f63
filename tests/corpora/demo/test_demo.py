"""The demo corpus as a whole: determinism, the distribution of tags, and what reaches the disk."""

import collections
import concurrent.futures
import csv
import dataclasses
import hashlib
import itertools
import multiprocessing

import numpy as np
import pytest
import soundfile

from tfmir.corpora.corpus import SPLITS
from tfmir.corpora.demo import demo
from tfmir.corpora.demo.mastering import ERAS
from tfmir.errors import UserError


@pytest.fixture(scope="module")
def tracks():
    return demo.demo_tracks(seed=0)


def labels(tracks):
    names = [(notion, tag) for notion, tags in demo.NOTIONS.items() for tag in tags]
    return names, np.array([[tag in track.tags[notion] for notion, tag in names] for track in tracks])


def digest(track):
    return hashlib.sha256(demo.render(track, seed=0).tobytes()).hexdigest()


def test_default_corpus_has_the_promised_sizes_and_unique_paths(tracks):
    assert collections.Counter(track.split for track in tracks) == {"train": 1200, "validation": 200, "test": 400}
    assert len({track.path for track in tracks}) == 1800
    assert all(track.path.startswith(track.split + "/") for track in tracks)


def test_the_default_corpus_never_changes(tracks):
    """Its audio depends on nothing else; sets and figures of every version are of these tracks."""
    said = repr([(track.path, track.artist, track.tags) for track in tracks])
    assert hashlib.sha256(said.encode()).hexdigest().startswith("34212906a1ad87475d5c8e0d61aaa0d9")


def test_a_track_does_not_depend_on_how_many_there_are(tracks):
    few = demo.demo_tracks(seed=0, sizes={"test": 3, "train": 2})
    assert few == [track for track in tracks if track.split == "test"][:3] + tracks[:2]


def test_seed_and_split_change_the_tags(tracks):
    other = demo.demo_tracks(seed=1, sizes={"train": 100})
    assert sum(a.tags == b.tags for a, b in zip(other, tracks, strict=False)) < 20
    validation = [track for track in tracks if track.split == "validation"]
    assert sum(a.tags == b.tags for a, b in zip(validation, tracks, strict=False)) < 20


def test_rendering_depends_on_seed_and_track_alone_even_in_another_process(tracks):
    chosen = [tracks[7], tracks[1200]]
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        elsewhere = list(pool.map(digest, chosen[::-1]))[::-1]
    assert elsewhere == [digest(track) for track in chosen]
    assert len(set(elsewhere)) == 2
    assert not np.array_equal(demo.render(tracks[7], seed=1), demo.render(tracks[7], seed=0))


@pytest.mark.parametrize("split", SPLITS)
def test_every_tag_is_frequent_enough_in_every_split(tracks, split):
    names, occurs = labels([track for track in tracks if track.split == split])
    frequency = dict(zip(names, occurs.mean(axis=0), strict=True))
    assert min(frequency.values()) >= 0.07
    assert max(frequency.values()) <= 0.45
    per_notion = [np.count_nonzero(occurs[:, [n == notion for n, _ in names]], axis=1) for notion in demo.NOTIONS]
    genre, mood, instrument, era = per_notion
    assert set(genre) == set(era) == {1}
    assert set(instrument) == {1, 2, 3}
    assert 0.04 < np.mean(mood == 0) < 0.25


def test_notions_are_nearly_independent(tracks):
    """Of some 200 pairs of 1 800 tracks the largest chance correlation is about 3.3 / sqrt(1800) = 0.08."""
    names, occurs = labels(tracks)
    correlation = np.corrcoef(occurs.T.astype(float))
    pairs = itertools.combinations(range(len(names)), 2)
    assert max(abs(correlation[a, b]) for a, b in pairs if names[a][0] != names[b][0]) < 0.1


def test_an_artist_has_several_tracks_in_one_split(tracks):
    splits = collections.defaultdict(list)
    for track in tracks:
        splits[track.artist].append(track.split)
    assert all(len(set(of_artist)) == 1 and len(of_artist) >= 2 for of_artist in splits.values())


def test_rendered_tracks_are_ten_seconds_within_full_scale(tracks):
    for track in tracks[:6]:
        samples = demo.render(track, seed=0)
        assert samples.dtype == np.float32
        assert samples.shape == (220500,)
        assert 0.3 < np.max(np.abs(samples)) <= 1.0  # NaN fails, too
        seconds = samples.reshape(10, -1).std(axis=1)
        assert seconds.min() > 0.002, "a silent second"


def test_vocabulary_is_what_the_stages_can_play(tracks):
    assert set(demo.NOTIONS["era"]) == set(ERAS)
    assert set(demo.NOTIONS["genre"]) == {tag for track in tracks for tag in track.tags["genre"]}
    original = demo.render(tracks[0], seed=0)
    for notion in demo.NOTIONS:
        for tag in demo.NOTIONS[notion]:
            tagged = dataclasses.replace(tracks[0], tags={**tracks[0].tags, notion: (tag,)})
            same = np.array_equal(demo.render(tagged, seed=0), original)
            assert same == (tagged.tags == tracks[0].tags), tag


def test_unknown_split_is_named():
    with pytest.raises(UserError, match="'dev'"):
        demo.demo_tracks(sizes={"dev": 1})


def test_write_audio_resumes_and_keeps_the_samples(tracks, tmp_path):
    chosen = tracks[:3]
    assert demo.write_audio(chosen[:1], str(tmp_path), seed=0) == 1
    first = (tmp_path / chosen[0].path).stat().st_mtime_ns
    assert demo.write_audio(chosen, str(tmp_path), seed=0) == 2
    assert demo.write_audio(chosen, str(tmp_path), seed=0) == 0
    assert (tmp_path / chosen[0].path).stat().st_mtime_ns == first
    info = soundfile.info(tmp_path / chosen[1].path)
    assert (info.samplerate, info.channels, info.format, info.subtype) == (22050, 1, "FLAC", "PCM_16")
    samples, _ = soundfile.read(tmp_path / chosen[1].path)
    np.testing.assert_allclose(samples, demo.render(chosen[1], seed=0), atol=1.01 / 32768)


def test_interrupted_write_leaves_nothing_under_the_final_name(tracks, tmp_path, monkeypatch):
    """The write is cut off as by Ctrl-C, after half a file has reached the disk."""

    def half_written(path, *args, **kwargs):
        with open(path, "wb") as file:
            file.write(b"fLaC")
        assert not (tmp_path / tracks[0].path).exists()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(soundfile, "write", half_written)
        with pytest.raises(KeyboardInterrupt):
            demo.write_audio(tracks[:1], str(tmp_path), seed=0)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert demo.write_audio(tracks[:1], str(tmp_path), seed=0) == 1


def test_annotations_read_back(tracks, tmp_path):
    path = tmp_path / "sub" / "annotations.csv"
    demo.write_annotations(tracks, str(path))
    with open(path, newline="", encoding="utf-8") as file:
        assert file.readline() == "path,split,artist,genre,mood,instrument,era\n"
        file.seek(0)
        rows = list(csv.DictReader(file))
    assert len(rows) == len(tracks)
    for row, track in zip(rows, tracks, strict=True):
        assert (row["path"], row["split"], row["artist"]) == (track.path, track.split, track.artist)
        assert {n: tuple(tag for tag in row[n].split(";") if tag) for n in demo.NOTIONS} == track.tags
    assert any(row["mood"] == "" for row in rows)


def test_failed_annotations_keep_the_old_file(tracks, tmp_path):
    path = tmp_path / "annotations.csv"
    demo.write_annotations(tracks[:2], str(path))
    before = path.read_bytes()
    with pytest.raises(KeyError):
        demo.write_annotations([*tracks[:2], dataclasses.replace(tracks[2], tags={})], str(path))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
