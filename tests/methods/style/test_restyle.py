"""restyle: styles by shares on three backends, AdaIN, strength and colours, tiles that share statistics, refusals."""

import crosslens
import keras
import numpy as np
import onnx
import pytest
import torch
from crosslens.arrays import as_numpy
from crosslens.errors import ImageError, LayerError, ModelError, ParameterError
from crosslens.metadata import Metadata
from crosslens.metadata.origin import Origin
from crosslens.model.other_inputs import with_inputs
from crosslens.restyle.any_size import OVERLAP, AnySize
from crosslens.restyle.picture_network import OnePass
from crosslens.restyle.shared_statistics import SharedStatistics, shared_statistics
from crosslens.style_network.spec import StyleSpec
from crosslens.synthesis.tiling import overlapping_tiles
from crosslens.testing import TinyModel
from onnx import TensorProto, helper, numpy_helper
from torch import nn

PICTURE = np.random.default_rng(0).random((1, 3, 37, 42), dtype=np.float32)
GAINS = np.array([[0.9, 0.5, 0.1], [0.2, 0.3, 0.7]], np.float32)
"""Of the red, green and blue of two styles."""


def restyle(model, images=PICTURE, **options):
    return crosslens.method("restyle", **options)(model, images)


class Gains(nn.Module):
    def forward(self, image, style_weights):
        return image * (style_weights @ torch.from_numpy(GAINS))[..., None, None]


def exported(folder):
    example = torch.rand(2, 3, 8, 8), torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    sizes = torch.export.Dim.AUTO
    free = ({0: sizes, 2: sizes, 3: sizes}, {0: sizes})
    torch.export.save(torch.export.export(Gains(), example, dynamic_shapes=free), folder / "gains.pt2")
    return crosslens.wrap(folder / "gains.pt2", preprocess=None)


def onnx_file(folder):
    nodes = [
        helper.make_node("MatMul", ["style_weights", "gains"], ["mixed"]),
        helper.make_node("Reshape", ["mixed", "shape"], ["each"]),
        helper.make_node("Mul", ["image", "each"], ["styled"]),
    ]
    constants = {"gains": GAINS, "shape": np.array([1, 3, 1, 1])}
    graph = helper.make_graph(
        nodes,
        "gains",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, "H", "W"]),
            helper.make_tensor_value_info("style_weights", TensorProto.FLOAT, [2]),
        ],
        [helper.make_tensor_value_info("styled", TensorProto.FLOAT, ["N", 3, "H", "W"])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "gains.onnx"
    )
    return crosslens.wrap(folder / "gains.onnx", preprocess=None)


def keras_file(folder):
    image, weights = keras.Input((None, None, 3), name="image"), keras.Input((2,), name="style_weights")
    mixed = keras.layers.Dense(3, use_bias=False, name="mixed")
    styled = keras.layers.Multiply()([image, keras.layers.Reshape((1, 1, 3))(mixed(weights))])
    net = keras.Model([image, weights], styled)
    mixed.set_weights([GAINS])
    net.save(folder / "gains.keras")
    return crosslens.wrap(folder / "gains.keras", preprocess=None)


@pytest.mark.parametrize("of_file", [exported, onnx_file, keras_file])
def test_styles_are_mixed_by_their_shares_on_every_backend(of_file, tmp_path):
    model = of_file(tmp_path)
    for text, shares in {"1": [0, 1], "0:1,1:3": [0.25, 0.75], "0:0.2,1:0.2": [0.5, 0.5]}.items():
        made = restyle(model, styles=text)
        np.testing.assert_allclose(made.images, PICTURE * (shares @ GAINS)[None, :, None, None], atol=1e-6)
        assert made.parameters["styles"] == text
    even = restyle(model)
    np.testing.assert_allclose(even.images, PICTURE * GAINS.mean(0)[None, :, None, None], atol=1e-6)
    assert even.notes[0].startswith("all 2 styles of the network in equal shares")


def test_a_torch_module_is_wrapped_with_one_style_and_gets_others():
    model = crosslens.wrap(Gains(), preprocess=None, inputs={"style_weights": [1.0, 0.0]})
    np.testing.assert_allclose(restyle(model).images, PICTURE * GAINS[0][None, :, None, None], atol=1e-6)
    made = restyle(model, styles="1").images
    np.testing.assert_allclose(made, PICTURE * GAINS[1][None, :, None, None], atol=1e-6)


def test_the_next_picture_does_not_wrap_the_network_again(tmp_path):
    model = onnx_file(tmp_path)
    first = with_inputs(model, {"style_weights": np.float32([0, 1])})
    assert with_inputs(model, {"style_weights": np.float32([0, 1])}) is first
    assert with_inputs(model, {"style_weights": np.float32([1, 0])}) is not first


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2", "styles names 2; this network has 2 styles, 0 to 1"),
        ("-1", "styles names -1; this network has 2 styles"),
        ("red", "styles is 'red'; write numbers of styles"),
        ("0:half", "styles is '0:half'; write numbers of styles"),
        ("0:-1,1:2", "the share -1; shares are numbers from 0 on"),
        ("0:0", "with a sum of 0"),
    ],
)
def test_shares_that_mean_nothing_are_refused(text, said, tmp_path):
    with pytest.raises(ParameterError, match=said):
        restyle(onnx_file(tmp_path), styles=text)


@pytest.fixture
def half():
    model = nn.Conv2d(3, 3, 1, groups=3, bias=False)
    nn.init.constant_(model.weight, 0.5)
    return crosslens.wrap(model, preprocess=None)


def test_strength_mixes_the_picture_in(half):
    made = restyle(half, strength=0.25)
    np.testing.assert_allclose(made.images, 0.75 * PICTURE + 0.25 * 0.5 * PICTURE, atol=1e-6)
    np.testing.assert_array_equal(made.starts, PICTURE)
    np.testing.assert_allclose(restyle(half, strength=0.0).images, PICTURE, atol=1e-7)


def test_the_contents_colours_stay_and_its_luminance_is_the_styles(half):
    x = 0.3 + 0.2 * PICTURE
    made = as_numpy(restyle(half, x, colours="content").images)
    luma = np.array([0.299, 0.587, 0.114])
    before, after = (np.tensordot(luma, each[0].astype(float), 1) for each in (x, made))
    np.testing.assert_allclose(after, 0.5 * before, atol=1e-5)
    chroma = [each[0] - np.tensordot(luma, each[0].astype(float), 1) for each in (x, made)]
    np.testing.assert_allclose(chroma[1], chroma[0], atol=3e-3)


def test_a_network_of_other_bounds_gets_and_gives_pictures_within_them(half):
    model = crosslens.wrap(nn.Identity(), preprocess=None, input_shape=(3, None, None), bounds=(0, 255))
    made = restyle(model, PICTURE * 255, output_range=(0.0, 255.0))
    np.testing.assert_allclose(made.images, PICTURE * 255, atol=1e-3)
    with pytest.raises(ModelError, match=r"values from 0.* to 25.* say what its range is, output_range=\(0, 255\)"):
        restyle(model, PICTURE * 255)


class Contrast(nn.Module):
    """Convolutions with strides, instance normalisation as one operator or as means, and an enlargement."""

    def __init__(self, fused):
        super().__init__()
        torch.manual_seed(0)
        self.fused = fused
        self.first, self.second = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 3, 3, 1, 1)
        self.norms = nn.ModuleList([nn.InstanceNorm2d(8, affine=True), nn.InstanceNorm2d(3, affine=True)])

    def normalised(self, x, n):
        if self.fused:
            return self.norms[n](x)
        mean = x.mean((2, 3), keepdim=True)
        variance = ((x - mean) ** 2).mean((2, 3), keepdim=True)
        return (x - mean) / torch.sqrt(variance + 1e-5)

    def forward(self, x):
        y = torch.relu(self.normalised(self.first(x), 0))
        y = nn.functional.interpolate(y, scale_factor=2.0, mode="nearest")
        return torch.sigmoid(self.normalised(self.second(y), 1))


def shaded():
    """A picture that grows brighter and richer in contrast from left to right."""
    rng, (height, width) = np.random.default_rng(1), (96, 256)
    ramp = np.linspace(0.05, 1, width)
    return (ramp * (0.6 + 0.4 * rng.random((1, 3, height, width)))).astype(np.float32)


def apart(model, x):
    """Tiles that see themselves alone."""

    class Apart(OnePass):
        def for_tiles(self, x, tiles, at_once):
            return lambda tile: as_numpy(SharedStatistics(model, {}, {}).forward(tile)), ()

    return AnySize(Apart(model), 64)(x).picture


@pytest.mark.parametrize("fused", [True, False])
def test_tiles_share_the_statistics_of_the_whole_picture(fused):
    """No jump where a tile ends, and nearer to the whole than tiles that are normalised apart."""
    model, x = crosslens.wrap(Contrast(fused).eval(), preprocess=None), shaded()
    whole = as_numpy(restyle(model, x).images)
    made = restyle(model, x, tile=64)
    tiled, alone = as_numpy(made.images), apart(model, x)
    assert made.provenance["tiles"] > 4
    assert not made.notes
    assert np.abs(tiled - whole).mean() < 0.25 * np.abs(alone - whole).mean()
    level = [each.mean((0, 1, 2)) for each in (tiled - whole, alone - whole)]
    steps = [np.abs(each[8:] - each[:-8]).max() for each in level]
    assert steps[0] < 0.3 * steps[1]
    jumps = np.abs(np.diff(tiled, axis=3)).mean((0, 1, 2))
    borders = {t.crop.corner[1] + t.columns[1] for t in overlapping_tiles((96, 256), (64, 64), OVERLAP)} - {256}
    assert jumps[[end - 1 for end in borders]].mean() < 1.1 * jumps.mean()


def test_statistics_of_a_picture_that_fits_make_what_the_network_makes():
    model, x = crosslens.wrap(Contrast(True).eval(), preprocess=None), shaded()
    shared = shared_statistics(model, x, (96, 256))
    assert len(shared.affine) == 2
    np.testing.assert_allclose(shared.forward(x), model.forward(x)[crosslens.OUTPUT], atol=1e-5)


def test_normalisations_that_tiles_cannot_share_are_noted():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.GroupNorm(2, 4), nn.Conv2d(4, 3, 1), nn.Sigmoid())
    made = restyle(crosslens.wrap(net.eval(), preprocess=None), shaded(), tile=64)
    assert made.notes[0].startswith("tiles were normalised apart: GroupNorm")


STYLE = np.random.default_rng(2).random((3, 40, 44), dtype=np.float32)


def encoder(kernel=2):
    torch.manual_seed(1)
    return crosslens.wrap(nn.Sequential(nn.Conv2d(3, 3, 1), nn.AvgPool2d(kernel)).eval(), preprocess=None)


class Decoder(nn.Module):
    """The inverse of the encoder's 1 x 1 convolution, and an enlargement."""

    def __init__(self, channels=3):
        super().__init__()
        torch.manual_seed(1)
        there, self.back = nn.Conv2d(3, 3, 1), nn.Conv2d(channels, 3, 1)
        inverse = torch.linalg.inv(there.weight[:, :, 0, 0])
        if channels == 3:
            self.back.weight.data = inverse[:, :, None, None]
            self.back.bias.data = -inverse @ there.bias

    def forward(self, x):
        return nn.functional.interpolate(self.back(x), scale_factor=2.0, mode="nearest")


def adain(images=PICTURE, channels=3, **options):
    decoder = crosslens.wrap(Decoder(channels).eval(), preprocess=None, input_shape=(channels, None, None))
    given = {"decoder": decoder, "features": "0", "style": STYLE} | options
    return restyle(encoder(), images, **given)


def test_adain_is_decoder_of_adain_of_encoders():
    """With a linear encoder and its inverse as decoder: equation 14 written out on the features."""
    x, model = PICTURE[:, :, :36, :], encoder()
    content, style = (as_numpy(model.forward(each, ["1"])["1"]).astype(float) for each in (x, STYLE[None]))
    moved = (content - content.mean((2, 3), keepdims=True)) / np.sqrt(content.var((2, 3), keepdims=True) + 1e-5)
    moved = moved * np.sqrt(style.var((2, 3), keepdims=True) + 1e-5) + style.mean((2, 3), keepdims=True)
    decoder = Decoder().eval()
    with torch.no_grad():
        wanted = decoder(torch.from_numpy(0.4 * content + 0.6 * moved).float()).numpy().clip(0, 1)
    made = adain(x, features="1", strength=0.6)
    np.testing.assert_allclose(made.images, wanted, atol=1e-5)
    assert made.provenance["layers"] == ["1"]


def test_the_pictures_own_style_changes_nothing():
    x = np.kron(PICTURE[:, :, :20, :20], np.ones((1, 1, 2, 2), np.float32))
    np.testing.assert_allclose(adain(x, features="1", style=x[0]).images, x, atol=1e-5)


def test_the_layer_is_the_one_that_the_decoders_file_says():
    decoder = crosslens.wrap(Decoder().eval(), preprocess=None, input_shape=(3, None, None))
    spec = StyleSpec(kind="decoder", norm="none", code=(3, 2), layer="1")
    decoder.origin = Origin("file", Metadata(style=spec))
    made = adain(decoder=decoder, features=None)
    assert made.provenance["layers"] == ["1"]
    np.testing.assert_array_equal(made.images, adain(features="1").images)


def test_tiles_of_adain_have_the_moments_of_the_whole():
    x = np.random.default_rng(3).random((1, 3, 96, 160), dtype=np.float32)
    whole, tiled = adain(x, features="1"), adain(x, features="1", tile=64)
    assert tiled.provenance["tiles"] > 2
    np.testing.assert_allclose(tiled.images, whole.images, atol=1e-5)


def test_blended_styles_lie_between():
    names = {"style": [STYLE, 0.2 * STYLE], "features": "1"}
    one, other, both = (as_numpy(adain(**names, blend=b).images).mean() for b in ((1, 0), (0, 1), (1, 1)))
    assert other < both < one


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"features": "conv9"}, LayerError, "no layer 'conv9'"),
        ({"features": None}, ParameterError, "does not say on which layer it was trained: features='block4_conv1'"),
        ({"style": None}, ParameterError, "decoder is given without style"),
        ({"styles": "3"}, ParameterError, "leave one out"),
        ({"blend": (0.5, 0.5)}, ParameterError, "give 1 numbers for 1 style pictures"),
        ({"channels": 5}, ModelError, r"the decoder takes \(5, None, None\) .* gives 3 channels: give the layer"),
    ],
)
def test_what_adain_cannot_do_is_refused(options, error, said):
    with pytest.raises(error, match=said):
        adain(**options)


@pytest.mark.parametrize("options", [{"style": STYLE}, {"blend": (1.0,)}, {"features": "conv1"}])
def test_parts_of_adain_without_a_decoder_are_refused(options, half):
    with pytest.raises(ParameterError, match=f"{next(iter(options))} is for AdaIN, with a decoder"):
        restyle(half, **options)


def test_styles_of_a_network_without_such_an_input_are_refused(half):
    with pytest.raises(ParameterError, match="this network has no input 'style_weights' to choose among styles"):
        restyle(half, styles="1")


def test_a_classifier_is_refused():
    with pytest.raises(ModelError, match=r"needs a network that makes pictures of pictures.* gives \(5,\)"):
        restyle(TinyModel(), PICTURE)


def test_nan_out_of_the_network_is_refused(half):
    net = nn.Conv2d(3, 3, 1)
    nn.init.constant_(net.weight, float("nan"))
    with pytest.raises(ModelError, match="NaN"):
        restyle(crosslens.wrap(net, preprocess=None))


def test_colours_of_grey_pictures_are_refused():
    model = crosslens.wrap(nn.Conv2d(1, 1, 1), preprocess=None)
    with pytest.raises(ParameterError, match="have 1 channel, not three"):
        restyle(model, PICTURE[:, :1], colours="content")


def test_a_picture_of_another_number_of_channels_is_refused(half):
    with pytest.raises(ImageError):
        restyle(half, PICTURE[:, :2])
