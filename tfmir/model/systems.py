"""The systems by name: the rows of the paper's Table 1, and `joint`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmir.model.system import System
from tfmir.model.tagging import ClassificationSystem, ProxySystem
from tfmir.model.triplet import JointSystem, TripletSystem
from tfmir.params import RunParams, check_system
from tfmir.vocabulary import Vocabulary

SYSTEMS: dict[str, type[System]] = {
    "triplet": TripletSystem,
    "proxy": ProxySystem,
    "classification": ClassificationSystem,
    "joint": JointSystem,
}


def build_system(params: RunParams, vocabulary: Vocabulary, **prevalences: np.ndarray | None) -> System:
    """The system that `params.system` names, with its variables created.

    Args:
      params: of the run.
      vocabulary: tags and notions.
      **prevalences: `prevalence` and `validation_prevalence`, see `System`.

    Raises:
      UserError: a combination that is no system, or a size that does not divide.
    """
    check_system(params.system)
    system = SYSTEMS[params.system.system](params, vocabulary, **prevalences)
    system(tf.zeros([1, params.features.excerpt_frames, params.features.num_mels]))
    return system
