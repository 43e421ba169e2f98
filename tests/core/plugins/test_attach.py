"""Where `wrap` takes the preprocessing from, on a backend of a plugin that knows nothing of metadata."""

import logging

import crosslens
import numpy as np
import pytest
from crosslens.errors import ModelError, ParameterError
from crosslens.execution.notices import forget_notices
from crosslens.model import OUTPUT
from crosslens.plugins import registry, wrap
from crosslens.plugins.demo_network import DemoNetwork
from crosslens.testing import TinyModel

BACKEND = """
from pathlib import Path
import crosslens
from crosslens.testing import TinyModel

@crosslens.hookimpl
def crosslens_wrap(network, options):
    channels = int(Path(network).read_text())
    if channels != 3:
        options["preprocess"].affine(channels)
    model = TinyModel()
    model.preprocess, model.labels = options["preprocess"], options["labels"]
    return model
"""
SIZE = TinyModel().input.example_shape


@pytest.fixture
def small(tmp_path, monkeypatch, caplog):
    """A file of a plugin's format, whose plugin is installed in a folder."""
    info = tmp_path / "smallnets-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: smallnets\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[crosslens.backends]\n.small = smallnets_backend\n")
    (tmp_path / "smallnets_backend.py").write_text(BACKEND)
    (tmp_path / "net.small").write_text("3")
    monkeypatch.syspath_prepend(tmp_path)
    registry.plugins.cache_clear()
    forget_notices()
    caplog.set_level(logging.WARNING, "crosslens")
    yield tmp_path / "net.small"
    registry.plugins.cache_clear()


def test_a_side_file_serves_a_backend_without_hooks_for_metadata(small, caplog):
    written = crosslens.attach(small, preprocess="mean=.5,std=.25", labels=list("abcde"))
    assert written == small.with_name("net.small.crosslens.json")
    model = crosslens.wrap(small)
    assert model.preprocess == crosslens.Preprocess(mean=(0.5,), std=(0.25,))
    assert list(model.labels) == list("abcde")
    assert not caplog.records
    wrong = crosslens.wrap(small, labels=list("vwxyz"))
    assert list(wrong.labels) == list("vwxyz")
    assert caplog.records[0].getMessage().startswith("labels: as given, although '")


def test_a_damaged_side_file_is_refused_also_where_everything_is_given(small):
    small.with_name("net.small.crosslens.json").write_text('{"crosslens_metadata": 1, "lables": []}')
    with pytest.raises(ModelError, match="it has 'lables'"):
        crosslens.wrap(small, preprocess="tf", labels=list("abcde"))


def test_the_side_file_of_one_model_can_be_given_for_another(small):
    side = crosslens.attach(small, preprocess="caffe")
    assert crosslens.wrap(small, preprocess=side).preprocess == crosslens.PRESETS["caffe"]


def test_labels_alone_can_be_attached_to_a_network_of_one_channel(small):
    small.write_text("1")
    crosslens.attach(small, labels=list("abcde"))
    with pytest.raises(
        crosslens.CrosslensError, match=r'for 3 channels; .* have 1: give preprocess=None or "mean=m1,s'
    ):
        crosslens.wrap(small)


def test_a_demo_network_brings_its_own_and_nothing_is_told(small, caplog, monkeypatch):
    network = DemoNetwork("net", "net", "none", "", lambda: small, lambda folder: folder, lambda: {"preprocess": "tf"})
    monkeypatch.setattr(wrap, "demo_network", lambda name: network)
    assert crosslens.wrap("demo:net").origin.preprocess == "demo"
    assert crosslens.wrap("demo:net", preprocess="caffe").origin.preprocess == "given"
    assert not caplog.records


def test_a_default_is_told_for_each_network_once(small, caplog):
    other = small.with_name("other.small")
    other.write_text("3")
    for path in (small, small, other):
        crosslens.wrap(path).forward(np.zeros((1, *SIZE), np.float32), [OUTPUT])
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [f"'{small}'", f"'{other}'"]


def test_hugging_faces_configuration_beside_a_model_is_offered(small, caplog):
    (small.parent / "preprocessor_config.json").write_text('{"image_mean": 0.5, "image_std": 0.5}')
    crosslens.wrap(small)
    offered = caplog.records[0].getMessage().partition("; preprocess='")[2].partition("'")[0]
    assert crosslens.wrap(small, preprocess=offered).preprocess == crosslens.Preprocess(mean=(0.5,), std=(0.5,))


def test_numbers_for_another_range_are_refused_at_the_call_and_an_object_is_no_file(small):
    with pytest.raises(ParameterError, match=r'here they lie in .*: give "scale=255,mean=124"'):
        crosslens.wrap(small, preprocess="mean=124")
    with pytest.raises(ModelError, match="give its path, not a TinyModel"):
        crosslens.attach(TinyModel(), preprocess="tf")
