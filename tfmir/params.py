"""Parameters of every stage as frozen dataclasses; derived sizes are properties.

One dataclass field is one command-line flag (see `fields.py` and `flags.py`).
"""

from __future__ import annotations

import dataclasses
from typing import Any

from tfmir.errors import UserError
from tfmir.fields import field

_TRIPLET, _JOINT = ("triplet",), ("joint",)  # of the flags that one kind of system makes use of
MAX_SECS = 600  # of a song: what is longer is cut, or refused by a served bundle
MAX_SEED = 2**32 - 1  # NumPy takes no larger one
PRECISIONS = ("float32", "bfloat16", "float16", "auto")


@dataclasses.dataclass(frozen=True)
class FeatureParams:
    """Log-mel features and the excerpt (paper, section 4.1; window, hop and compression are the authors' other code).

    The z-score is part of the model: records hold log-mel before it.
    """

    sample_rate: int = 22050
    n_fft: int = 1024
    hop_length: int = 512
    num_mels: int = 128
    fmin_hz: float = 0.0
    fmax_hz: float = 11025.0
    log_gain: float = 10.0
    excerpt_secs: float = 3.0
    mean: float = 0.2
    deviation: float = 0.25

    @property
    def excerpt_frames(self) -> int:
        """Frames of one excerpt: the whole hops in it (129 for 3 s)."""
        return int(self.excerpt_secs * self.sample_rate) // self.hop_length

    @property
    def excerpt_samples(self) -> int:
        """Samples of one excerpt (66 150 for 3 s)."""
        return int(self.excerpt_secs * self.sample_rate)

    @property
    def span_samples(self) -> int:
        """Samples under the windows of one excerpt's frames (66 560)."""
        return (self.excerpt_frames - 1) * self.hop_length + self.n_fft

    @property
    def max_frames(self) -> int:
        """Frames kept of one track (10 minutes): bounds the memory of a worker."""
        return MAX_SECS * self.sample_rate // self.hop_length

    @property
    def track_params(self) -> dict[str, Any]:
        """What the records depend on; the excerpt and the z-score are cut and applied later."""
        later = {"excerpt_secs", "mean", "deviation"}
        return {key: value for key, value in dataclasses.asdict(self).items() if key not in later}


@dataclasses.dataclass(frozen=True)
class EncoderParams:
    """What turns an excerpt into the vector under the embedding (see `tfmir/model/encoder.py`)."""

    encoder: str = field(
        "inception",
        "the paper's (section 4.2, after the companion, ICASSP 2020), or statistics over time of every band and two "
        "dense layers: a baseline, and a quick bench for losses",
        choices=("inception", "statistics"),
    )
    width_multiplier: float = field(1.0, "scales every layer of the encoder", above=0.0)
    batch_norm: bool = field(True, "batch normalisation in every layer of the encoder (not in the paper)")
    blocks: int = field(
        6, "pairs of Inception modules; the paper's has 6 (encoder inception)", lower=1, upper=6, only=("inception",)
    )
    embedding_dim: int = field(256, "size of the whole embedding (paper, section 4.2)", lower=1)

    @property
    def depth(self) -> int:
        """Layers with weights one behind the other: a stem and three convolutions in each module, or two dense ones."""
        return 2 if self.encoder == "statistics" else 1 + 6 * self.blocks

    @property
    def without_normalisation(self) -> EncoderParams:
        """The same encoder without batch normalisation, whose layers have a bias instead."""
        return dataclasses.replace(self, batch_norm=False)


@dataclasses.dataclass(frozen=True)
class SystemParams:
    """Which of the paper's systems (Table 1)."""

    system: str = field(
        "proxy", "kind of system (paper, Table 1)", choices=("triplet", "proxy", "classification", "joint")
    )
    disentangled: bool = field(True, "give every notion its own sub-space (paper, section 3.1)")
    normalized: bool = field(True, "unit norm of the embedding, after masking (paper, eqs. 6, 8 and 9)")
    margin: float = field(
        0.1, "of the triplet hinge, a difference of cosines (paper, section 4.2)", lower=0.0, only=_TRIPLET
    )
    negatives: str = field(
        "random",
        "of a triplet: one at random of the batch, all (with every positive too), the nearest that is farther than the "
        "positive, or the nearest",
        choices=("random", "all", "semihard", "hard"),
        only=_TRIPLET,
    )
    track_weight: float = field(
        0.0, "of the hinge on two excerpts of a track (companion, ICASSP 2020: 0.5; 0: none)", lower=0.0, only=_TRIPLET
    )
    unannotated_weight: float = field(
        1.0,
        "of a notion's tags in the cross-entropy of an excerpt that carries none of them, from 0, it is merely not "
        "annotated, to 1, it has none, as in the paper (systems that learn tags)",
        lower=0.0,
        upper=1.0,
        only=("proxy", "classification", "joint"),
    )
    list_weight: float = field(
        0.2, "of every notion's listwise term beside the proxy loss (joint; 0: none)", lower=0.0, only=_JOINT
    )
    list_temperature: float = field(0.2, "that a notion's cosines are divided by (joint)", above=0.0, only=_JOINT)
    whole_weight: float = field(0.1, "of the whole space's listwise term (joint; 0: none)", lower=0.0, only=_JOINT)
    whole_temperature: float = field(
        0.1, "that the whole space's cosines are divided by (system joint)", above=0.0, only=_JOINT
    )

    @property
    def uses_triplets(self) -> bool:
        """Whether training needs pairs of excerpts that share a tag."""
        return self.system == "triplet"

    @property
    def compares_excerpts(self) -> bool:
        """Whether a loss on batches of single excerpts compares them with one another."""
        return self.system == "joint"

    @property
    def group(self) -> int:
        """Excerpts of one track that stay together: two where track triplets are learnt, else one."""
        return 2 if self.track_weight else 1

    @property
    def unit(self) -> int:
        """Excerpts of `batch_size` that go together: a pair of them for triplets, else one."""
        return 2 if self.uses_triplets else 1


@dataclasses.dataclass(frozen=True)
class PipelineParams:
    """How training excerpts are drawn from the records."""

    batch_size: int = field(
        64,
        "excerpts in a global batch, all replicas together; with --track_weight each brings a second one of its track",
        lower=1,
    )
    excerpts_per_track: int = field(1, "random excerpts of every training track in an epoch", lower=1)
    excerpts_per_read: int = field(
        0,
        "excerpts cut from a track each time it is read; 0: as many as an epoch takes of it, so that every epoch "
        "touches every track. More read faster, and an epoch then passes over some tracks",
        lower=0,
    )
    shuffle_buffer: int = field(2048, "excerpts waiting to be shuffled (33 kB each)", lower=1)
    notion_sampling: str = field(
        "balanced",
        "triplets of every notion equally often, or as often as the corpus' tags give",
        choices=("balanced", "natural"),
    )
    spec_augment: bool = field(False, "mask a random band of mels and of frames (not in the paper)")

    @property
    def cuts(self) -> int:
        """Excerpts that are cut from a track when it is read: in a pass over the tracks, of each."""
        return self.excerpts_per_read or self.excerpts_per_track

    def batches(self, tracks: int) -> int:
        """Batches that hold `excerpts_per_track` excerpts of every track: the steps of an epoch, for every system."""
        return max(1, -(-tracks * self.excerpts_per_track // self.batch_size))

    def pass_excerpts(self, tracks: int) -> int:
        """Excerpts in a pass over the tracks: whole batches, an epoch's, unless it was asked for so many a read."""
        if self.excerpts_per_read:
            return tracks * self.excerpts_per_read
        return self.batches(tracks) * self.batch_size


@dataclasses.dataclass(frozen=True)
class TrainParams:
    """The training recipe (paper, section 4.2)."""

    learning_rate: float = field(0.005, "Adam's learning rate at the start (paper, section 4.2)", above=0.0)
    epochs: int = field(1000, "stop after so many epochs even if the schedule has not ended", lower=1)
    steps_per_epoch: int = field(
        0,
        "batches in an epoch, one optimiser step each; 0: as many as --excerpts_per_track gives, equally many for "
        "every system",
        lower=0,
    )
    schedule: str = field(
        "plateau",
        "learning rate: divided at every plateau of the validation loss (the paper: each system ends by its own "
        "plateaus), or half a cosine over --epochs (all systems take equally many steps)",
        choices=("plateau", "cosine"),
    )
    patience: int = field(10, "epochs without a lower validation loss before the learning rate falls", lower=1)
    cut_factor: float = field(5.0, "what the learning rate is divided by at a plateau", above=1.0)
    max_cuts: int = field(5, "training stops at the plateau after so many cuts", lower=0)
    replicas: int = field(0, "0: every GPU, or one CPU; N: N logical CPU devices", lower=0)
    precision: str = field(
        "float32",
        "numbers of the arithmetic; variables are float32 in any case. auto: bfloat16 (on older GPUs float16) where "
        "the processor or GPU has it and a short measurement finds it faster",
        choices=PRECISIONS,
        switch=("mixed_precision", "float16"),
    )
    seed: int = field(0, "seed of weights, order and excerpts", lower=0, upper=MAX_SEED)


@dataclasses.dataclass(frozen=True)
class NetworkParams:
    """What a network is made from, however it is trained."""

    encoder: EncoderParams = EncoderParams()
    system: SystemParams = SystemParams()
    features: FeatureParams = FeatureParams()


@dataclasses.dataclass(frozen=True)
class RunParams:
    """Everything that defines a training run; `params.json` of the run directory."""

    encoder: EncoderParams = EncoderParams()
    system: SystemParams = SystemParams()
    pipeline: PipelineParams = PipelineParams()
    training: TrainParams = TrainParams()
    features: FeatureParams = FeatureParams()

    @property
    def network(self) -> NetworkParams:
        """The part that the network is made from."""
        return NetworkParams(self.encoder, self.system, self.features)

    def with_precision(self, precision: str) -> RunParams:
        """The same in another precision."""
        return dataclasses.replace(self, training=dataclasses.replace(self.training, precision=precision))


def check_system(params: SystemParams) -> None:
    """Refuses combinations of switches that are no system.

    Raises:
      UserError: names the flags and the remedy.
    """
    name = params.system
    if not params.normalized and (name != "classification" or params.disentangled):
        raise UserError(
            f"--system={name} --{'' if params.disentangled else 'no'}disentangled needs --normalized: "
            "only --system=classification --nodisentangled can do without"
        )
    if name == "joint" and not params.disentangled:
        raise UserError("--system=joint needs --disentangled: its listwise term is taken inside the sub-spaces")
    if params.track_weight and not params.uses_triplets:
        raise UserError(f"--track_weight={params.track_weight} but --system={name} has no triplets: leave it out")
