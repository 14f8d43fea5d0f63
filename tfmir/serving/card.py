"""What a bundle and a catalogue say of the run that they come from: as JSON for programs, as Markdown for people.

Essentia's models are published with such a file beside each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfmir import __version__, files
from tfmir.fields import to_dict
from tfmir.markdown import table
from tfmir.run_directory import Run

SCHEMA_VERSION = 2
_METRICS = ("recall", "roc_auc", "pr_auc", "triplets", "triplets_subspace")


def run_card(run: Run, *, precision: str) -> dict[str, Any]:
    """Tags in the order of the scores, notions in that of the sub-spaces, features, corpus, licence, metrics.

    Args:
      run: a trained one.
      precision: of the arithmetic behind the embeddings.

    Returns:
      JSON. `weights_sha256` is the checksum of `best.weights.h5`: embeddings of one space have one. `metrics` are
      those of `report.json` on the test split, null if the run was not evaluated since.
    """
    weights = files.sha256(run.best_weights)
    return {
        "schema_version": SCHEMA_VERSION,
        "tfmir": __version__,
        "weights_sha256": weights,
        "precision": precision,
        "system": to_dict(run.params.system),
        "notions": run.vocabulary.to_dict(),
        "tags": list(run.vocabulary.tags),
        "embedding_dim": run.params.encoder.embedding_dim,
        "encoder": run.params.encoder.encoder,
        "width_multiplier": run.params.encoder.width_multiplier,
        "sample_rate": run.params.features.sample_rate,
        "features": to_dict(run.params.features),
        "corpus": run.corpus,
        "licence": run.licence,
        "metrics": _metrics(run, weights),
    }


def bundle_card(card: Mapping[str, Any], signatures: Mapping[str, Any]) -> dict[str, Any]:
    """The card of a run, a name and a version, with what the bundle serves.

    Args:
      card: as `run_card` gives it, with `name` and `version`.
      signatures: name -> {"inputs": {name: [dtype, shape]}, "outputs": …}; null is a size that varies.
    """
    return {
        **card,
        "inputs": signatures["serving_default"]["inputs"],
        "outputs": signatures["serving_default"]["outputs"],
        "signatures": dict(signatures),
    }


def card_text(card: Mapping[str, Any]) -> str:
    """The card of a bundle in Markdown."""
    lines = [
        f"# {card['name']} {card['version']}",
        "",
        f"Music similarity along {', '.join(card['notions'])}: a {card['system']['system']} system"
        f"{'' if card['system']['disentangled'] else ' with one space'}, trained on the corpus {card['corpus']}"
        f" (licence: {card['licence']}), embedding of {card['embedding_dim']} numbers, audio at"
        f" {card['sample_rate']} Hz, computed in {card['precision']}. Weights: sha256 {card['weights_sha256']}."
        f" tfmir {card['tfmir']}.",
        "",
        "## Tags",
        "",
        "In the order of the scores.",
        "",
        table(("notion", "tags"), ((notion, ", ".join(tags)) for notion, tags in card["notions"].items())),
        "## Signatures",
        "",
        table(
            ("signature", "inputs", "outputs"),
            ((name, _tensors(of["inputs"]), _tensors(of["outputs"])) for name, of in card["signatures"].items()),
        ),
        "## Metrics on the test split",
        "",
        _metrics_text(card["metrics"]),
    ]
    return "\n".join(lines)


def _metrics(run: Run, weights: str) -> dict[str, Any] | None:
    """Those of the report, if it is on these weights."""
    path = run.path / "report.json"
    report = files.read_json(path) if path.exists() else {}
    if report.get("weights_sha256") != weights:
        return None
    return {"tracks": report["tracks"], **{name: report["system"].get(name) for name in _METRICS}}


def _metrics_text(metrics: Mapping[str, Any] | None) -> str:
    if metrics is None:
        return "The run was not evaluated before it was exported.\n"
    rows = [(f"R@{k}", value) for k, value in (metrics["recall"] or {}).items()]
    rows += [("ROC-AUC", metrics["roc_auc"]), ("PR-AUC", metrics["pr_auc"])]
    for of, space in (("triplets", "whole space"), ("triplets_subspace", "own sub-space")):
        rows += [(f"triplets {notion}, {space}", value) for notion, value in (metrics[of] or {}).items()]
    return f"{metrics['tracks']} tracks.\n\n" + table(("metric", "value"), ((name, _figure(v)) for name, v in rows))


def _figure(value: Any) -> str:
    if isinstance(value, Mapping):
        bounds = [value["low"], value["high"]]
        interval = "" if None in bounds else " [{:.3f}, {:.3f}]".format(*bounds)
        return "undefined" if value["mean"] is None else f"{value['mean']:.3f}{interval}"
    return "undefined" if value is None else f"{value:.3f}"


def _tensors(of: Mapping[str, Sequence[Any]]) -> str:
    return ", ".join(
        f"{name} {dtype} [{', '.join('?' if size is None else str(size) for size in shape)}]"
        for name, (dtype, shape) in of.items()
    )
