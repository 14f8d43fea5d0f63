"""A run that embeds what an index does not have, and one that must not."""

import numpy as np
import pytest

from tfmir import files
from tfmir.errors import UserError
from tfmir.inference.audio import embed_file
from tfmir.searching.embedder import run_embedder


def test_a_file_is_embedded_by_the_run_of_the_index(run, system, audio_folder):
    embed = run_embedder(str(run.path), files.sha256(run.best_weights), "float32")
    path = str(audio_folder / "03.flac")
    np.testing.assert_allclose(embed(path), embed_file(system, path), atol=1e-6)


def test_a_run_of_other_weights_is_refused_before_anything_is_embedded(run):
    with pytest.raises(UserError, match=r"the index was made with abababababab…: name the run that made it"):
        run_embedder(str(run.path), "ab" * 32, "float32")
    with pytest.raises(UserError, match="no params.json in it"):
        run_embedder("nowhere", "ab" * 32, "float32")


def test_what_is_no_audio_is_one_line(run, tmp_path):
    (tmp_path / "a.flac").write_text("no audio")
    embed = run_embedder(str(run.path), files.sha256(run.best_weights), "float32")
    with pytest.raises(UserError, match="a.flac: ") as told:
        embed(str(tmp_path / "a.flac"))
    assert "\n" not in str(told.value)
