"""Files that come with tfmir beside its code: flag files and published figures.

In a checkout they lie in its top folder, in an installed package inside the package, under the same names.
"""

from __future__ import annotations

import os
import pathlib

_PACKAGE = pathlib.Path(__file__).parent
# Beside the package only in a checkout: elsewhere its neighbours are other packages.
_HOMES = [_PACKAGE, *([_PACKAGE.parent] if (_PACKAGE.parent / "setup.cfg").exists() else [])]


def find(path: str, *, beside: str = "") -> str:
    """A file as named, or else the one of that name that comes with tfmir.

    Args:
      path: absolute, or relative to `beside`, to the working directory, or to what comes with tfmir, in this order.
      beside: a folder; empty: none.

    Returns:
      The first that exists, or `path` itself where none does.
    """
    folders = [*([beside] if beside else []), ".", *map(str, _HOMES)]
    found = (os.path.join(folder, path) for folder in folders)
    return next((os.path.normpath(name) for name in found if os.path.exists(name)), path)
