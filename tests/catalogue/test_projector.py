"""What TensorBoard's projector reads, by its own schema."""

import numpy as np
import pytest
from google.protobuf import text_format
from tensorboard.plugins.projector import projector_config_pb2

from tests.catalogue.test_embeddings import row
from tfmir.catalogue.embeddings import Embeddings, to_table
from tfmir.catalogue.projector import write_projector
from tfmir.corpora.corpus import stable_fraction

CARD = {"notions": {"genre": ["rock", "jazz"], "mood": ["calm"]}, "tags": ["genre/rock", "genre/jazz", "mood/calm"]}


def of(rows):
    return Embeddings("", "/music", 4, "abc", CARD, 0, to_table(rows, dim=4))


def test_three_files_with_a_line_a_song_by_hand(tmp_path):
    """The scores of `row` are 0.25, 0.5 and 1: jazz is the genre of the highest one."""
    rows = [
        row("a\tb.mp3", [0.5, 0.5, 0.5, 0.5], artist="X", tags=("genre/rock", "genre/jazz")),
        row("c.mp3", [1, 0, 0, 0]),
    ]
    assert write_projector(of(rows), str(tmp_path / "projector")) == 2
    config = projector_config_pb2.ProjectorConfig()
    text_format.Parse((tmp_path / "projector/projector_config.pbtxt").read_text(), config)
    (entry,) = config.embeddings
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "projector" / entry.tensor_path), [[0.5] * 4, [1, 0, 0, 0]])
    assert (tmp_path / "projector" / entry.metadata_path).read_text().split("\n") == [
        "track\tartist\tgenre\tgenre, predicted\tmood\tmood, predicted",
        "a\\tb.mp3\tX\trock;jazz\tjazz\t\tcalm",
        "c.mp3\t\t\tjazz\t\tcalm",
        "",
    ]


@pytest.mark.parametrize("most", [3, 100])
def test_of_many_songs_those_with_the_smallest_hash_are_shown(tmp_path, most):
    rows = [row(f"{i:02d}", [1, 0, 0, 0]) for i in range(20)]
    assert write_projector(of(rows), str(tmp_path), most=most) == min(most, 20)
    shown = [line.split("\t")[0] for line in (tmp_path / "metadata.tsv").read_text().splitlines()[1:]]
    assert shown == sorted(sorted((r.track_id for r in rows), key=stable_fraction)[:most])
