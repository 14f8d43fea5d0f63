"""The index against a few lines of NumPy, its filters, its order, and a song under all its names."""

import os
import shutil
import subprocess
import sys
import threading
import unicodedata

import numpy as np
import pytest

from tests.fixtures.embedded import NOTIONS, songs, write_set
from tfmir.catalogue.embedded_set import open_set
from tfmir.errors import UserError
from tfmir.searching import graphs, index_parts
from tfmir.searching.index import StaleIndexError, open_index
from tfmir.searching.index_build import Wanted, build_index

COUNT, LIKE = 300, 5
WEIGHTS = [{}, {"mood": 1.0}, {"mood": 1.0, "genre": 0.2}, {"mood": -1.0, "era": 0.5}]
NFC, NFD = (unicodedata.normalize(form, "café.flac") for form in ("NFC", "NFD"))


@pytest.fixture(scope="module")
def of():
    """300 songs, of which 30 to 35 have the vector of song 20, so that their scores are equal."""
    made = songs(COUNT)
    made.vectors[30:36] = made.vectors[20]
    return made


@pytest.fixture(scope="module")
def place(of, tmp_path_factory):
    """Parts of 64 songs; an exact index and one with graphs."""
    folder = tmp_path_factory.mktemp("index")
    embedded = open_set(write_set(folder / "embeddings", of))
    for kind in ("exact", "hnsw"):
        build_index(embedded, str(folder / kind), Wanted(kind, "none", part_rows=64))
    return folder


@pytest.fixture(scope="module", params=["exact", "hnsw"])
def index(place, request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graphs, "LEAST_CANDIDATES", 40)
        patch.setattr(graphs, "PER_WANTED", 1)
        yield open_index(str(place / request.param))


def numpy_scores(of, query, weights):
    """Scores of all songs in float64; sub-spaces are rounded to float16, as they are stored."""
    if not weights:
        return of.vectors.astype(np.float64) @ query
    parts = of.subspaces(len(NOTIONS)).astype(np.float16).astype(np.float64)
    asked = query.reshape(len(NOTIONS), -1).astype(np.float64)
    norms = np.linalg.norm(asked, axis=1, keepdims=True)
    asked = np.divide(asked, norms, out=np.zeros_like(asked), where=norms > 0)
    return sum(
        weight * parts[:, list(NOTIONS).index(name)] @ asked[list(NOTIONS).index(name)]
        for name, weight in weights.items()
    )


def expected(of, query, weights, *, keep=None, exclude=()):
    """Rows by score, those of equal scores by number."""
    scores = np.round(numpy_scores(of, query, weights), 6)
    order = np.argsort(-scores, kind="stable")
    return [row for row in order.tolist() if row not in exclude and (keep is None or keep[row])]


def rows(hits):
    return [hit.row for hit in hits]


def agrees(found, wanted, scores):
    """The same rows in the same order, but for those whose scores differ by less than float32 can tell."""
    assert len(found) == len(wanted)
    for row, other in zip(found, wanted, strict=True):
        assert row == other or abs(scores[row] - scores[other]) < 1e-5


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("like", [LIKE, 7, 20])
def test_a_search_is_one_matrix_product(index, of, weights, like):
    """Song 7 is dead in genre: its cosines there are 0."""
    query = index.embedding(like)
    np.testing.assert_array_equal(query, of.vectors[like].astype(np.float32))
    hits = index.search(query, weights=weights, top=10, exclude=[like])
    scores = numpy_scores(of, query, weights)
    agrees(rows(hits), expected(of, query, weights, exclude={like})[:10], scores)
    np.testing.assert_allclose([hit.score for hit in hits], scores[rows(hits)], atol=1e-5)
    assert [hit.rank for hit in hits] == list(range(1, 11))
    for hit in hits:
        assert (hit.track_id, hit.artist, list(hit.tags)) == (of.ids[hit.row], of.artists[hit.row], of.tags[hit.row])
        assert list(hit.similarities) == list(NOTIONS)
        for notion, cosine in hit.similarities.items():
            assert cosine == pytest.approx(numpy_scores(of, query, {notion: 1.0})[hit.row], abs=1e-3)


@pytest.mark.parametrize("top", [1, 3, 5])
@pytest.mark.parametrize("weights", [{}, {"era": 1.0}])
def test_equal_scores_are_in_the_order_of_their_rows_wherever_the_list_ends(place, of, top, weights):
    index = open_index(str(place / "exact"))
    hits = index.search(index.embedding(20), weights=weights, top=top, exclude=[20])
    assert rows(hits) == [30, 31, 32, 33, 34, 35][:top]
    assert len({hit.score for hit in hits}) == 1


def test_who_is_dead_in_all_that_counts_is_refused(index):
    with pytest.raises(UserError, match="nothing of genre is heard in this song: give another weight"):
        index.search(index.embedding(7), weights={"genre": 1.0}, top=4)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_filters_leave_the_best_of_those_who_pass(index, of, weights):
    query = index.embedding(LIKE)
    scores = numpy_scores(of, query, weights)
    both = [{"genre/rock", "era/60s"} <= set(tags) for tags in of.tags]
    for keep, asked in (
        (["mood/wild" in tags for tags in of.tags], {"tags": ["mood/wild"]}),
        (both, {"tags": ["genre/rock", "era/60s"]}),
        ([artist == "Artist 3" for artist in of.artists], {"artist": "Artist 3"}),
        ([artist == "Artist 3" for artist in of.artists], {"artist": "  artist 3"}),
        (
            [a and b == "Artist 1" for a, b in zip(both, of.artists, strict=True)],
            {"tags": ["genre/rock", "era/60s"], "artist": "Artist 1"},
        ),
    ):
        for top in (5, COUNT):
            hits = index.search(query, weights=weights, top=top, exclude=[LIKE], **asked)
            agrees(rows(hits), expected(of, query, weights, keep=keep, exclude={LIKE})[:top], scores)


def test_a_diverse_list_has_the_best_of_each_artist_and_all_without_one(index, of):
    query = index.embedding(LIKE)
    seen, wanted = set(), []
    for row in expected(of, query, {"mood": 1.0}, exclude={LIKE}):
        if of.artists[row] not in seen:
            wanted.append(row)
            seen |= {of.artists[row]} - {""}
    for top in (3, 20, COUNT):
        hits = index.search(query, weights={"mood": 1.0}, top=top, exclude=[LIKE], diverse=True)
        agrees(rows(hits), wanted[:top], numpy_scores(of, query, {"mood": 1.0}))
    assert len(wanted) == 7 + sum(not artist for i, artist in enumerate(of.artists) if i != LIKE)


def test_a_diverse_list_that_has_every_artist_is_at_its_end(tmp_path, monkeypatch):
    """6 artists, each of them known: a list of 20 looks at no more songs than one of 6, and at no row by itself."""
    of = songs(COUNT)
    of.artists = [f"Artist {i % 6}" for i in range(COUNT)]
    index = built(tmp_path, of)
    asked, real = [], index._nearest
    monkeypatch.setattr(index, "_nearest", lambda q, count, allowed: asked.append(count) or real(q, count, allowed))
    monkeypatch.setattr(index, "facts", lambda rows, real=index.facts: asked.append(-len(rows)) or real(rows))
    for words, most in (({}, 6), ({"artist": "Artist 3"}, 1)):
        asked.clear()
        hits = index.search(index.embedding(LIKE), weights={}, top=20, exclude=[LIKE], diverse=True, **words)
        assert len(hits) == most == len({hit.artist for hit in hits})
        assert max(asked) < COUNT
        assert min(asked) == -most
    alone = [row for row in range(COUNT) if row % 6 != 3]
    hits = index.search(index.embedding(0), weights={}, top=5, exclude=alone, diverse=True)
    assert [hit.artist for hit in hits] == ["Artist 3"]


def test_more_than_there_is_gives_what_there_is(index, of):
    hits = index.search(index.embedding(0), weights={}, top=10 * COUNT, exclude=[0, 1])
    assert sorted(rows(hits)) == list(range(2, COUNT))
    assert index.search(index.embedding(0), weights={}, top=3, exclude=range(COUNT)) == []


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"tags": ["rock"]}, "no tag 'rock': did you mean genre/rock?"),
        ({"tags": ["mood/clam"]}, "no tag 'mood/clam': did you mean mood/calm"),
        ({"tags": ["mood/calm", "x"]}, "no tag 'x': there are genre/rock, genre/jazz, mood/calm, …"),
        ({"artist": "Artist X"}, "--artist=Artist X: no such artist: did you mean Artist "),
        ({"artist": "Q"}, "--artist=Q: no such artist: of no track"),
    ],
)
def test_an_unknown_tag_or_artist_is_refused_with_near_names(index, asked, message):
    with pytest.raises(UserError) as told:
        index.search(index.embedding(0), weights={}, top=3, **asked)
    assert message in str(told.value)


def test_a_tag_that_the_run_knows_and_no_track_carries_finds_nothing(of, tmp_path):
    rockers = songs(20)
    rockers.tags = [["genre/rock"]] * 20
    index = built(tmp_path, rockers)
    assert index.search(index.embedding(0), weights={}, top=3, tags=["genre/jazz"]) == []
    rockers.tags, rockers.artists = [[]] * 20, [""] * 20
    nameless = built(tmp_path / "nameless", rockers)
    for asked, message in (
        ({"tags": ["genre/jazz"]}, "none of the tracks has tags"),
        ({"artist": "A"}, "has an artist"),
    ):
        with pytest.raises(UserError, match=message):
            nameless.search(nameless.embedding(0), weights={}, top=3, **asked)


def built(folder, of, **facts):
    return open_index(
        str(build_index(open_set(write_set(folder / "e", of, **facts)), str(folder / "i"), Wanted(maps="none")))
    )


def test_a_system_with_one_space_has_no_notions_and_its_own_inner_product(tmp_path):
    """Not normalised: the scores are those of the vectors as they are."""
    of = songs(50)
    of.vectors *= np.linspace(1, 9, 50, dtype=np.float16)[:, np.newaxis]
    index = built(tmp_path, of, disentangled=False, normalized=False)
    assert index.notions == ()
    hits = index.search(index.embedding(LIKE), weights={}, top=5, exclude=[LIKE])
    scores = of.vectors.astype(np.float64) @ of.vectors[LIKE].astype(np.float64)
    assert [hit.row for hit in hits] == [row for row in np.argsort(-scores) if row != LIKE][:5]
    assert hits[0].similarities == {}
    np.testing.assert_allclose(hits[0].score, scores[hits[0].row], rtol=1e-5)


def test_one_track_is_a_catalogue(tmp_path):
    index = built(tmp_path, songs(1))
    assert len(index) == 1
    assert index.search(index.embedding(0), weights={"mood": 1.0}, top=10, exclude=[0]) == []
    assert [hit.row for hit in index.search(index.embedding(0), weights={"mood": 1.0}, top=10)] == [0]


def test_threads_search_side_by_side(index):
    queries = [(row, weights) for row in range(12) for weights in WEIGHTS]
    alone = {
        row: [index.search(index.embedding(row), weights=w, top=9, tags=["mood/wild"]) for w in WEIGHTS]
        for row in range(12)
    }
    found = {}

    def work(part):
        for row, weights in part:
            found[row, str(weights)] = index.search(index.embedding(row), weights=weights, top=9, tags=["mood/wild"])

    threads = [threading.Thread(target=work, args=(queries[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[row, str(w)] == alone[row][i] for row in alone for i, w in enumerate(WEIGHTS))


@pytest.fixture
def music(tmp_path, monkeypatch):
    """Songs on the disk, one of them under a second name, and their index."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    names = ["again.flac", "sub/b.flac", NFD, "song.flac"]
    for name in names[1:]:
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "music/again.flac").symlink_to("song.flac")
    (tmp_path / "link.flac").symlink_to(tmp_path / "music/song.flac")
    (tmp_path / "other").symlink_to(tmp_path / "music", target_is_directory=True)
    os.link(tmp_path / "music/song.flac", tmp_path / "hard.flac")
    shutil.copy2(tmp_path / "music/song.flac", tmp_path / "copy.flac")
    of = songs(4)
    of.ids = of.paths = names
    of.stamps = [(status.st_mtime_ns, status.st_size) for status in (os.stat(tmp_path / "music" / n) for n in names)]
    return built(tmp_path, of, library=tmp_path / "music")


SPELLINGS = {
    "song.flac": ["song.flac", "again.flac"],
    "again.flac": ["again.flac", "song.flac"],
    "music/song.flac": ["song.flac", "again.flac"],
    "music/../music//again.flac": ["again.flac", "song.flac"],
    "~/music/song.flac": ["song.flac", "again.flac"],
    "link.flac": ["song.flac", "again.flac"],
    "hard.flac": ["again.flac", "song.flac"],
    "other/song.flac": ["song.flac", "again.flac"],
    "other/sub/../song.flac": ["song.flac", "again.flac"],
    "sub/b.flac": ["sub/b.flac"],
    "./other/sub/b.flac": ["sub/b.flac"],
    NFD: [NFD],
    NFC: [NFD],
    f"music/{NFC}": [NFD],
    f"~/other/{NFC}": [NFD],
    "copy.flac": [],
    "nowhere.flac": [],
    "~nobody/a.flac": [],
    "a" * 300: [],
    "\udcff.flac": [],
}


@pytest.mark.parametrize("like", SPELLINGS)
def test_a_song_is_known_however_it_is_spelled_and_by_its_other_names(music, like):
    found = [music.facts([row])[0]["track_id"] for row in music.rows_of(like)]
    assert found == SPELLINGS[like]
    assert (music.row_of(like) is None) == (not found)


def test_a_song_that_was_changed_or_has_gone_is_known_by_its_name(music, tmp_path):
    (tmp_path / "music/song.flac").write_text("longer than before")
    assert [music.facts([row])[0]["track_id"] for row in music.rows_of("music/song.flac")] == [
        "song.flac",
        "again.flac",
    ]
    shutil.rmtree(tmp_path / "music")
    assert [music.facts([row])[0]["track_id"] for row in music.rows_of("song.flac")] == ["song.flac"]
    assert music.rows_of(NFC) == (2,)


def test_a_file_that_was_changed_is_told_from_the_one_that_was_embedded(music, tmp_path):
    names = ("music/song.flac", "other/song.flac", "link.flac", "song.flac", "copy.flac")
    row = music.row_of("song.flac")
    assert [music.changed_file(name, row) for name in names] == [""] * 5
    (tmp_path / "music/song.flac").write_text("longer than before")
    assert [music.changed_file(name, row) for name in names] == [*names[:3], "", ""]
    os.utime(tmp_path / "music/sub/b.flac", ns=(1, 1))
    assert music.changed_file("music/sub/b.flac", music.row_of("sub/b.flac")) == "music/sub/b.flac"
    (tmp_path / "music/song.flac").unlink()
    assert music.changed_file("music/song.flac", row) == ""


def test_tracks_have_all_columns_but_the_vectors_and_are_mapped(place, of):
    index = open_index(str(place / "exact"))
    assert index.tracks.column_names == [
        "track_id", "path", "mtime_ns", "size", "duration_s", "excerpts", "artist", "tags", "scores", "alive",
    ]  # fmt: skip
    assert index.tracks["track_id"].to_pylist() == of.ids
    assert (index.library, index.weights_sha256) == ("/nowhere/music", index.card["weights_sha256"])
    assert index.map("whole") is None


ANSWERS = {
    "a search": lambda index: index.search(np.ones(24, np.float32), weights={"mood": 1.0}, top=3),
    "a row": lambda index: index.rows_of("album 0/0003.flac"),
    "facts": lambda index: index.facts([3]),
    "vectors": lambda index: index.embedding(3),
    "a map": lambda index: index.map("whole"),
}


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_an_index_that_was_made_anew_under_an_open_one_is_told(tmp_path, kind, answer):
    """Its files would be of one catalogue, its table of another; to open it again is enough."""
    out, wanted = str(tmp_path / "i"), Wanted(kind, "none", part_rows=16)
    build_index(open_set(write_set(tmp_path / "e", songs(40))), out, wanted)
    index = open_index(out)
    ANSWERS[answer](index)
    assert index.is_current()
    build_index(open_set(write_set(tmp_path / "e", songs(30, seed=1))), out, wanted)
    assert not index.is_current()
    with pytest.raises(StaleIndexError) as told:
        ANSWERS[answer](index)
    assert str(told.value) == f"{out}: the index was made anew since it was opened: open it again"
    ANSWERS[answer](open_index(out))


def test_an_index_that_is_made_anew_while_it_answers_is_told(tmp_path, monkeypatch):
    """Between the check and the first look into a part."""
    out, wanted = str(tmp_path / "i"), Wanted(maps="none")
    build_index(open_set(write_set(tmp_path / "e", songs(40))), out, wanted)
    index, real = open_index(out), index_parts.read_faiss

    def read(path):
        monkeypatch.setattr(index_parts, "read_faiss", real)
        build_index(open_set(write_set(tmp_path / "e", songs(30))), out, wanted)
        return real(path)

    monkeypatch.setattr(index_parts, "read_faiss", read)
    with pytest.raises(StaleIndexError):
        index.embedding(35)


def test_an_index_that_has_gone_is_told(tmp_path):
    index = built(tmp_path, songs(20))
    shutil.rmtree(tmp_path / "i")
    assert not index.is_current()
    with pytest.raises(StaleIndexError):
        index.embedding(3)


def test_a_faiss_that_maps_no_files_finds_the_same(place, monkeypatch):
    """As it is before 1.11."""
    mapped = open_index(str(place / "hnsw"))
    hits = [mapped.search(mapped.embedding(LIKE), weights=weights, top=9) for weights in WEIGHTS]
    monkeypatch.setattr(index_parts, "_MAPPED", 0)
    read = open_index(str(place / "hnsw"))
    assert [read.search(read.embedding(LIKE), weights=weights, top=9) for weights in WEIGHTS] == hits


def test_an_index_is_searched_without_tensorflow(place):
    code = (
        "import sys; from tfmir.searching.index import open_index; "
        f"i = open_index({str(place / 'hnsw')!r}); "
        "i.search(i.embedding(0), weights={'mood': 1.0}, top=3, diverse=True); "
        "print([m for m in ('tensorflow', 'keras', 'librosa', 'sklearn', 'soundfile') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
