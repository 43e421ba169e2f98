"""A style network as plain data: what it refuses, and that JSON gives it back."""

import json

import pytest
from crosslens.errors import ParameterError
from crosslens.style_network.architecture import architecture, multiplications, weight_shapes
from crosslens.style_network.spec import StyleSpec

ADAIN = StyleSpec("decoder", "none", width=64, blocks=4, code=(512, 8), encoder="vgg19.onnx", layer="relu4_1")


@pytest.mark.parametrize("spec", [StyleSpec(), StyleSpec(norm="conditional", styles=4, width=8, blocks=2), ADAIN])
def test_json_gives_the_network_back(spec):
    assert StyleSpec.from_json(json.loads(json.dumps(spec.as_json()))) == spec


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "gan"}, "kind of a style network is 'gan'; it can be 'feed_forward', 'decoder'"),
        ({"norm": "layer"}, "norm of a style network is 'layer'"),
        ({"styles": 3}, "3 styles in one network need norm=\"conditional\"; norm is 'instance'"),
        ({"width": 0}, "width of a style network is 0; it must be a whole number, at least 1"),
        ({"blocks": 2.0}, "blocks of a style network is 2.0"),
        ({"code": (512, 8)}, 'belong to kind="decoder"'),
        ({"kind": "decoder", "code": (512, 8)}, "a decoder has no normalisation"),
        ({"kind": "decoder", "norm": "none"}, "it must be (channels, stride), (512, 8) for example"),
        ({"kind": "decoder", "norm": "none", "code": (512, 6)}, "is 6; it must be a power of two"),
        ({"kind": "decoder", "norm": "none", "code": (3, 1), "layer": 4}, "layer of a style network is 4"),
    ],
)  # fmt: skip
def test_a_network_that_cannot_be_is_refused(values, message):
    with pytest.raises(ParameterError) as error:
        StyleSpec(**values)
    assert message in str(error.value)


def test_json_of_no_style_network_is_refused():
    with pytest.raises(ParameterError, match="a style network has no value 'widht'"):
        StyleSpec.from_json({"widht": 3})
    with pytest.raises(ParameterError, match="described by an object of its values"):
        StyleSpec.from_json([1])


def test_the_networks_have_the_sizes_of_the_papers():
    """Johnson et al., supplement, table 1: weights of its convolutions; AdaIN's decoder, layer by layer."""
    johnson = 3 * 32 * 81 + 32 * 64 * 9 + 64 * 128 * 9 + 10 * 128 * 128 * 9 + 128 * 64 * 9 + 64 * 32 * 9 + 32 * 3 * 81
    kernels = [shape for name, shape in weight_shapes(StyleSpec()).items() if name.endswith("convolution.weight")]
    assert sum(a * b * c * d for a, b, c, d in kernels) == johnson
    assert [(each.inputs, each.outputs, each.enlarges) for each in architecture(ADAIN)] == [
        (512, 256, False),
        (256, 256, True), (256, 256, False), (256, 256, False), (256, 128, False),
        (128, 128, True), (128, 64, False),
        (64, 64, True), (64, 3, False),
    ]  # fmt: skip


def test_multiplications_are_counted_at_the_size_where_each_convolution_computes():
    """By hand, of Johnson's network for 97 x 130: halves are rounded up, 49 x 65 and 25 x 33."""
    full, half, quarter = 97 * 130, 49 * 65, 25 * 33
    expected = 3 * 32 * 81 * full * 2 + (32 * 64 * 9 + 128 * 64 * 9) * half
    expected += (64 * 128 + 10 * 128 * 128) * 9 * quarter + 64 * 32 * 9 * full
    assert multiplications(StyleSpec(), 97, 130) == expected


def test_multiplications_of_a_decoder_count_from_its_code():
    spec = StyleSpec("decoder", "none", width=4, blocks=1, code=(8, 2))
    assert multiplications(spec, 5, 7) == 8 * 4 * 9 * 35 + 4 * 3 * 9 * 140
