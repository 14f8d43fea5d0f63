"""The names of the nine systems, each a flag file in `launch/`: the eight of the paper's Table 1, and `joint`; and of
the variants of three."""

TRIPLET = ("triplet", "triplet_disentangled", "triplet_track")
PROXY = ("proxy_basic", "proxy")
CLASSIFICATION = ("classification_plain", "classification", "classification_disentangled")
# Joint without one thing that it adds, and proxies with the one that is no term of its own.
ABLATIONS = ("joint_notions", "joint_whole", "joint_zeros", "proxy_annotated")
RANDOM = ("triplet_random", "triplet_disentangled_random", "triplet_track_random")  # with the paper's random negatives
JOINT = "joint"  # not in the paper
PAPER = (*TRIPLET, *PROXY, *CLASSIFICATION)
ALL = (*PAPER, JOINT)
DISENTANGLED = ("triplet_disentangled", "triplet_track", "proxy", "classification_disentangled", JOINT)
# Two names of one function (the paper's equations 6 and 8), equal to the last bit: the second is trained for both.
ALIASES = {"proxy_basic": "classification"}
