"""A system from its parameters: the one place that knows which class each kind of system is."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfmir.model.joint import JointSystem
from tfmir.model.precision import computing_in
from tfmir.model.system import System
from tfmir.model.tagging import ClassificationSystem, ProxySystem, TaggingSystem
from tfmir.model.triplet import TripletSystem
from tfmir.params import NetworkParams, check_system
from tfmir.vocabulary import Vocabulary

_TAGGING: dict[str, type[TaggingSystem]] = {
    "proxy": ProxySystem,
    "classification": ClassificationSystem,
    "joint": JointSystem,
}


def build_system(
    params: NetworkParams,
    vocabulary: Vocabulary,
    *,
    prevalence: Any = None,
    validation_prevalence: Any = None,
    precision: str = "float32",
) -> System:
    """The system that `params.system` names, with its variables created.

    Args:
      params: sizes and switches of the network.
      vocabulary: tags and notions.
      prevalence: float [tags], share of the training tracks with each tag: where a system that learns tags starts. None
        where weights are loaded next. A triplet system has no use for it.
      validation_prevalence: the same for the validation tracks; only reported figures depend on it.
      precision: of the arithmetic, see `precision.py`.

    Raises:
      UserError: a combination that is no system, or a size that does not divide.
    """
    check_system(params.system)
    system: System
    with computing_in(precision):
        if params.system.system == "triplet":
            system = TripletSystem(params, vocabulary)
        else:
            kind = _TAGGING[params.system.system]
            system = kind(params, vocabulary, prevalence=prevalence, validation_prevalence=validation_prevalence)
    system(tf.zeros([1, params.features.excerpt_frames, params.features.num_mels]))
    return system
