"""Says in one line when this Python cannot run tfmir with a lock file. Kept to syntax that every Python 3 reads."""

import sys

RANGES = {"requirements.lock": ((3, 11), (3, 13)), "requirements-io.lock": ((3, 10), (3, 12))}

lock = sys.argv[1]
lowest, highest = RANGES.get(lock, ((3, 10), (3, 13)))
if not lowest <= sys.version_info[:2] <= highest:
    sys.exit(
        "%s needs Python %d.%d to %d.%d; found %d.%d: make PYTHON=python3.12 ..., or another lock: "
        "make LOCK=requirements-io.lock ... is for 3.10 to 3.12" % ((lock, *lowest, *highest, *sys.version_info[:2]))
    )
