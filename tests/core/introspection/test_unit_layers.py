"""The layers that a method over a data set looks at."""

import pytest
from crosslens.errors import LayerError
from crosslens.introspection.unit_layers import rectified_layers, unit_layers
from crosslens.model import INPUT
from crosslens.testing import TinyModel

RELU = TinyModel(relu=True)


def test_names_stand_in_the_order_asked_for_each_once():
    assert unit_layers(RELU, ("fc", "conv1", "fc")) == ("fc", "conv1")


def test_nothing_asked_is_the_default_layer():
    assert unit_layers(RELU) == ("act2",)


def test_all_is_every_layer_but_the_image():
    assert unit_layers(RELU, ("all",)) == tuple(name for name in RELU.layers if name != INPUT)


def test_one_word_need_not_be_a_tuple():
    assert unit_layers(RELU, "rectified") == ("act1", "act2")


def test_a_word_and_a_name_go_together():
    assert unit_layers(RELU, ("fc", "rectified")) == ("fc", "act1", "act2")


def test_rectified_is_told_by_kind_where_the_backend_does_not_know():
    assert rectified_layers(RELU) == ("act1", "act2")


def test_a_network_without_a_rectifier_says_so():
    with pytest.raises(LayerError, match=r'nothing in this network is rectified: .* or give "all"'):
        unit_layers(TinyModel(), ("rectified",))


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(LayerError, match=r"no layer 'conv3' .* Did you mean 'conv"):
        unit_layers(RELU, ("conv3",))
