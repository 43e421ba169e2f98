"""Look-alikes of published networks, small, by both torch exporters: gradients against torch float64, and Grad-CAM."""

import crosslens
import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from crosslens.cli import cli
from PIL import Image

from benchmarks import networks
from benchmarks.networks import exported

SMALL = {"num_classes": 7, "width": 0.13, "size": 64}
SHALLOW = SMALL | {"depth": 0.3}
SIZES = {
    "resnet50": SHALLOW,
    "vgg16": SHALLOW,
    "mobilenet_v2": SHALLOW,
    "mobilenet_v3": SMALL,
    "efficientnet_b0": SHALLOW,
    "googlenet": SMALL,
    "densenet121": SHALLOW,
    "vit_b16": SHALLOW,
    "inception": SHALLOW | {"size": 79},
    "unet_resize": SMALL | {"size": 40},
    "unet_transposed": SMALL | {"size": 45},
    "swin": {"num_classes": 7, "width": 0.34, "depth": 0.5, "size": 64, "window": 2},
    "convnext": SHALLOW,
    "ssd": SMALL,
    "yolo": SMALL,
}
INNER = {"resnet50": "blocks.2", "mobilenet_v2": "features.6", "densenet121": "features.8", "vit_b16": "blocks.1"}
"""A module in the middle, whose name is a layer's alias."""
PUBLISHED = {
    "resnet50": 25_557_032,
    "vgg16": 138_357_544,
    "mobilenet_v2": 3_504_872,
    "mobilenet_v3": 5_483_032,
    "efficientnet_b0": 5_288_548,
    "googlenet": 6_998_552,
    "densenet121": 7_978_856,
    "vit_b16": 86_567_656,
}
"""Parameters at full size; torchvision's counts, GoogLeNet's is that of the original without its auxiliary heads."""


@pytest.fixture(scope="module")
def made():
    """Networks and exports, once each: (module, model, image shape); `made.files` holds the exports."""
    nets, files = {}, {}

    def get(name, exporter, **options):
        if name not in nets:
            nets[name] = getattr(networks, name)(**SIZES[name])
        net = nets[name]
        shape, key = (3, SIZES[name]["size"], SIZES[name]["size"]), (name, exporter, tuple(options.items()))
        if key not in files:
            files[key] = exported(net, exporter, shape, **options)
        first = files[key].graph.output[0].name
        many = len(files[key].graph.output) > 1
        return net, crosslens.wrap(files[key], preprocess=None, **({"output": first} if many else {})), shape

    get.files = files
    return get


@pytest.mark.parametrize("name", PUBLISHED)
def test_at_full_size_the_network_has_the_published_number_of_parameters(name):
    with torch.device("meta"):
        net = getattr(networks, name)()
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(PUBLISHED[name], rel=0.01)


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("name", SIZES)
def test_traced_networks_have_torch_gradients(made, agrees_with_torch, name, opset):
    if (name, opset) == ("vit_b16", 11):
        pytest.skip("torch traces scaled_dot_product_attention from opset 14 on")
    net, model, shape = made(name, "legacy", opset_version=opset)
    for n in (1, 3):
        agrees_with_torch(net, model, n, shape, inner=INNER.get(name) if opset == 17 else None)


@pytest.mark.parametrize("name", ["mobilenet_v2", "vit_b16", "unet_transposed", "convnext", "yolo"])
def test_networks_by_torch_export_have_torch_gradients(made, agrees_with_torch, name):
    net, model, shape = made(name, "dynamo")
    for n in (1, 3):
        agrees_with_torch(net, model, n, shape, inner=INNER.get(name))


@pytest.mark.parametrize(
    "name", [name for name in SIZES if name not in {"ssd", "yolo", "unet_resize", "unet_transposed"}]
)
def test_grad_cam_finds_the_last_maps_by_itself(made, name):
    _, model, shape = made(name, "legacy", opset_version=17)
    images = np.random.default_rng(0).random((2, *shape), np.float32)
    result = crosslens.method("grad_cam")(model, images, target=3)
    assert result.values.shape[0] == 2
    assert min(result.values.shape[1:]) > 1
    assert np.isfinite(result.values).all()


def test_the_last_maps_of_a_windowed_transformer_keep_their_channels(made):
    """Behind windows only the normalisation over the last axis shows that the channels stand there."""
    _, model, _ = made("swin", "legacy", opset_version=17)
    last = model.layers[crosslens.introspection.last_maps(model)]
    assert last.kind == "LayerNormalization"
    assert last.shape[2] == last.shape[3] < last.shape[1]


MASKS = ("--target", "channel:<output>:3")
ASKED = {"unet_resize": MASKS, "unet_transposed": MASKS}
"""What a user must say where the output is no vector of classes."""


@pytest.mark.parametrize("name", [name for name in SIZES if name not in {"ssd", "yolo"}])
def test_the_command_line_explains_a_picture(made, name, tmp_path):
    _, _, (_, height, width) = made(name, "legacy", opset_version=17)
    file, picture = tmp_path / "net.onnx", tmp_path / "picture.png"
    onnx.save(made.files[name, "legacy", (("opset_version", 17),)], file)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 80, 3), np.uint8)).save(picture)
    for method in (["gradient"], ["grad_cam", "--no-rectified"]):
        out = tmp_path / f"{method[0]}.npz"
        words = ["run", *method, file, picture, "--preprocess", "unit", *ASKED.get(name, ()), "-o", out]
        done = CliRunner().invoke(cli, list(map(str, words)), prog_name="crosslens")
        assert done.exit_code == 0, done.output
        with np.load(out) as saved:
            assert saved["images"].shape == (1, 3, height, width)
            assert np.isfinite(saved["values"]).all()
            assert np.ptp(saved["values"]) > 0
