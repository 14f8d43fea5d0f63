"""Exports a bundle whose weights are as they were drawn, for what does not depend on training.

python rehearsals/untrained.py /tmp/models/tfmir/1 --width=0.25
"""

import argparse
import pathlib

from tfmir import command

command.set_environment()

import keras

from tfmir.fields import to_dict
from tfmir.model.build import build_system
from tfmir.params import EncoderParams, FeatureParams, NetworkParams, SystemParams
from tfmir.serving import bundle
from tfmir.vocabulary import Vocabulary

NOTIONS = ("genre", "mood", "instrument", "era")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="of the version, which is a number")
    parser.add_argument("--width", type=float, default=1.0)
    given = parser.parse_args()
    keras.utils.set_random_seed(0)
    vocabulary = Vocabulary.from_dict({notion: ["a", "b"] for notion in NOTIONS})
    encoder, features, system = EncoderParams(width_multiplier=given.width), FeatureParams(), SystemParams()
    card = {
        "name": "tfmir",
        "version": 1,
        "tfmir": "",
        "weights_sha256": "",
        "system": to_dict(system),
        "notions": vocabulary.to_dict(),
        "tags": list(vocabulary.tags),
        "embedding_dim": encoder.embedding_dim,
        "sample_rate": features.sample_rate,
        "features": to_dict(features),
        "corpus": "",
        "licence": "",
        "metrics": None,
    }
    bundle._save(build_system(NetworkParams(encoder, system), vocabulary), pathlib.Path(given.folder), card)


if __name__ == "__main__":
    main()
