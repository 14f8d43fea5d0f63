import json

import pytest

from tfmir.corpora.demo import demo
from tfmir.corpora.demo.audio_folder import MARK, claim
from tfmir.errors import UserError

SIZES = {"train": 3, "test": 2}
TRACKS = demo.demo_tracks(sizes=SIZES)


def render(folder, tracks):
    for track in tracks:
        (folder / track.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / track.path).touch()


def test_what_is_missing_is_rendered_whatever_the_size(tmp_path):
    assert claim(str(tmp_path / "new"), TRACKS[:2], zipf=True, seed=3) == TRACKS[:2]
    render(tmp_path / "new", TRACKS[:2])
    assert claim(str(tmp_path / "new"), TRACKS, zipf=True, seed=3) == TRACKS[2:]
    assert json.loads((tmp_path / "new" / MARK).read_text()) == {"zipf": True, "seed": 3}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"zipf": False, "seed": 3},
            "asked for the demo with its own tags and --demo_seed=3: name another",
        ),
        ({"zipf": True, "seed": 4}, "holds the demo with tags in Zipf's proportions .* and --demo_seed=3, asked for"),
    ],
)
def test_another_demo_is_refused_even_before_a_track_is_there(tmp_path, asked, message):
    claim(str(tmp_path), TRACKS, zipf=True, seed=3)
    with pytest.raises(UserError, match=message):
        claim(str(tmp_path), TRACKS, **asked)


def test_a_folder_of_before_there_were_marks_is_the_demo_with_its_own_tags(tmp_path):
    render(tmp_path, TRACKS[:1])
    with pytest.raises(UserError, match="holds the demo with its own tags"):
        claim(str(tmp_path), TRACKS, zipf=True, seed=0)
    assert claim(str(tmp_path), TRACKS, zipf=False, seed=0) == TRACKS[1:]
    assert not (tmp_path / MARK).exists()
