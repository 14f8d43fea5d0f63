"""Flag files and tables of figures travel inside the package, under the same names (see `tfmir/resources.py`)."""

import pathlib
import shutil

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = pathlib.Path(__file__).parent
TABLES = [HERE / "docs/comparison" / name for name in ("contrasts.csv", "published.csv")]
RESOURCES = [*sorted((HERE / "launch").glob("*.flags")), *TABLES]


class BuildWithResources(build_py):
    """Copies them into the package that is built; an editable install finds them where they lie."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for source in RESOURCES:
            target = pathlib.Path(self.build_lib, "tfmir", source.relative_to(HERE))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


setup(cmdclass={"build_py": BuildWithResources})
