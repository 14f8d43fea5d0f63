"""The promise of every flag file in launch/: it trains, evaluates, exports and serves."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.fixtures.commands import called
from tfmir.experiments import systems
from tfmir.serving import bundle as bundle_module
from tfmir.serving import check_bundle
from tfmir.serving.signatures import signatures

SYSTEMS = [*((name, "statistics") for name in systems.ALL), ("joint", "inception")]


def of_waveforms(system):
    taken = ("_log_mel", "_num_samples", "_wav_bytes")
    return {name: function for name, function in signatures(system).items() if not name.endswith(taken)}


@pytest.mark.parametrize(("name", "encoder"), SYSTEMS)
def test_a_flag_file_trains_evaluates_exports_and_serves(
    name, encoder, settings, repository, tmp_path, monkeypatch, capsys
):
    """In one process; the check of a bundle, signatures of other inputs, and pictures have tests of their own."""
    monkeypatch.chdir(repository)
    monkeypatch.setattr(bundle_module, "_check", lambda *_: None)
    monkeypatch.setattr(bundle_module, "signatures", of_waveforms)
    run = tmp_path / name
    asked = [f"--flagfile=launch/{name}.flags", f"--flagfile={settings}", f"--run={run}", "--epochs=1"]
    called("train", *asked, f"--encoder={encoder}", "--steps_per_epoch=2")
    report = called("evaluate", f"--run={run}", "--nobaselines", "--nofigures")
    assert report["run"] == name
    mine = report["system"]
    assert set(mine["recall"]) == {"1", "2", "4", "8"}
    assert 0 <= mine["roc_auc"]["mean"] <= 1
    assert json.loads((run / "report.json").read_text()) == json.loads(json.dumps(report))

    bundle = called("export", f"--run={run}", f"--output={tmp_path}/models")
    check_bundle._check_operations(str(bundle))
    served = tf.saved_model.load(str(bundle)).signatures
    wave = tf.constant(np.random.default_rng(0).uniform(-0.5, 0.5, [1, 70000]), tf.float32)
    assert served["tag"](waveform=wave)["scores"].shape == (1, 4)
    notions = [signature for signature in ("embed_genre", "embed_mood") if signature in served]
    assert bool(notions) == json.loads((run / "params.json").read_text())["params"]["system"]["disentangled"]
    for signature in ("embed", *notions):
        assert np.isfinite(served[signature](waveform=wave)["embedding"]).all()

    capsys.readouterr()
    called("search", f"--run={run}", "--library=test", "--like=03.flac", "--top=3", "--json")
    assert len(json.loads(capsys.readouterr().out)["results"]) == 3
