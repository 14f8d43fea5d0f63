"""Says in one line when this Python cannot run tfmir. Kept to syntax that every Python 3 reads."""

import sys

if not (3, 10) <= sys.version_info[:2] <= (3, 12):
    sys.exit(
        "tfmir needs Python 3.10, 3.11 or 3.12, because TensorFlow 2.17 has no wheel for another; "
        "found %d.%d: make PYTHON=python3.11 ..." % sys.version_info[:2]
    )
