"""Photographs that installed packages ship, and the class that is asked about each."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


def photograph(name: str = "chelsea.png", package: str = "skimage", pip: str = "scikit-image") -> Path:
    """A picture in a package's data folder; the package is found, not imported."""
    spec = find_spec(package)
    assert spec is not None, f"pip install {pip}"
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "data" / name


@dataclass(frozen=True)
class Subject:
    """A photograph and its target: a label of ImageNet's."""

    file: str
    target: str
    package: str = "skimage"
    pip: str = "scikit-image"

    @property
    def path(self) -> Path:
        return photograph(self.file, self.package, self.pip)


SUBJECTS = {
    "cat": Subject("chelsea.png", "tiger cat"),
    "espresso": Subject("coffee.png", "espresso"),
    "rocket": Subject("rocket.jpg", "space shuttle"),
}
