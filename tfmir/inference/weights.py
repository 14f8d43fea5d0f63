"""A trained run to its system: nothing is computed or written on the way."""

from __future__ import annotations

import numpy as np

from tfmir.errors import UserError
from tfmir.model.build import build_system
from tfmir.model.checkpoint import load_weights
from tfmir.model.folding import for_inference
from tfmir.model.system import System
from tfmir.model.triplet import TripletSystem
from tfmir.run_directory import Run


def load_system(run: Run, *, tagging: bool = True, precision: str = "float32") -> System:
    """The system of a run with its best weights, ready for inference.

    Args:
      run: with weights.
      tagging: whether its scores of tags will be asked for.
      precision: of its arithmetic, see `model/precision.py`. In another one than float32 it has no normalisation
        (`model/folding.py`).

    Raises:
      UserError: the weights cannot be read, or scores are wanted of a triplet system whose training has not ended: its
        prototypes come last.
    """
    system = build_system(run.params.network, run.vocabulary)
    load_weights(system, run.best_weights, remedy="copy the run again, or train again in another --run")
    if tagging and lacks_prototypes(system):
        raise UserError(
            f"--run={run.path}: its tag prototypes are not there yet, they are made when training ends: give its train "
            "command again, which goes on where it stopped"
        )
    return for_inference(system, precision)


def lacks_prototypes(system: System) -> bool:
    """Whether a system that scores tags by prototypes has none yet: all of them are zero."""
    return isinstance(system, TripletSystem) and not np.any(system.prototypes.vectors.numpy())
