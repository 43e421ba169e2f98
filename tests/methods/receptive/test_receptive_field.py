"""receptive_field: what its table says, the certificate, the picture."""

import crosslens
import numpy as np
import pytest
from click.testing import CliRunner
from crosslens.cli import cli
from crosslens.errors import ImageError, LayerError, ParameterError
from crosslens.testing import TinyModel
from PIL import Image


def two_convolutions():
    """3x3 of stride 2, then 3x3, both padded by one: a field of 7, stride 2, on images of 16 x 12."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, stride=2, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 4, 3, padding=1),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 3),
    )  # fmt: skip
    return crosslens.wrap(net.eval(), input_shape=(3, 16, 12), preprocess=None)


def test_the_table_has_size_stride_padding_centre_and_rectangle_of_each_layer():
    table = crosslens.method("receptive_field", layers=("0", "2", "5"), positions=("4,3",))
    with pytest.raises(LayerError, match="has one position; leave it out; received 4,3"):
        table(two_convolutions())
    table = crosslens.method("receptive_field", layers=("0", "2", "5"))(two_convolutions())
    assert table["field"].tolist() == ["3 x 3", "7 x 7", "whole image"]
    assert table["stride"].tolist() == ["2", "2", "-"]
    assert table["padding"].tolist() == ["1", "3", "-"]
    assert table["centre"].tolist() == ["0", "0", "-"]
    assert [table[name][1] for name in ("top", "left", "bottom", "right")] == [5, 3, 12, 10]
    assert table["known"].tolist() == ["exact"] * 3


def test_positions_at_an_edge_are_clipped_and_the_theoretical_size_is_not():
    table = crosslens.method("receptive_field", layers=("2",), positions=("0,0", "7,5"))(two_convolutions())
    assert [table[name][0] for name in ("top", "left", "bottom", "right")] == [0, 0, 4, 4]
    assert [table[name][1] for name in ("top", "left", "bottom", "right")] == [11, 7, 16, 12]
    assert table["field"].tolist() == ["7 x 7"] * 2


def test_what_a_kernel_of_zeros_hides_shows_between_the_bounds():
    torch = pytest.importorskip("torch")
    net = torch.nn.Conv2d(1, 1, 5, padding=2)
    with torch.no_grad():
        net.weight[:] = 0
        net.weight[0, 0, 1:4, 2] = 1
    table = crosslens.method("receptive_field", layers=("<output>",))(
        crosslens.wrap(net, input_shape=(1, 9, 9), preprocess=None)
    )
    assert table["known"].tolist() == ["at most; at least rows 3 to 5, columns 4 to 4"]
    assert table["field"].tolist() == ["5 x 5"]


def test_a_model_whose_operators_are_not_listed_has_lower_bounds_that_say_so():
    table = crosslens.method("receptive_field", layers=("conv2", "fc"))(TinyModel(size=16))
    assert table["known"][0] == "at least, by gradients (the tiny backend does not list a network's operators)"
    assert [table[name][0] for name in ("top", "left", "bottom", "right")] == [6, 6, 11, 11]
    assert (table["field"][1], table["known"][1]) == ("whole image", "exact")


def test_the_picture_is_dark_outside_the_field(tmp_path):
    image = np.full((1, 3, 16, 12), 0.8, np.float32)
    result = crosslens.method("receptive_field", layers=("0",))(two_convolutions(), image)
    tile = result._tile({name: values[0] for name, values in result.columns.items()}).pixels
    assert (tile[0, 0] == round(204 * 0.35)).all()
    assert (tile[8, 6] == 204).all()
    again = crosslens.load(result.save(tmp_path / "fields.npz"))
    assert again == result


def test_the_size_of_the_picture_counts():
    torch = pytest.importorskip("torch")
    model = crosslens.wrap(torch.nn.Conv2d(3, 2, 3, padding=1), input_shape=(3, None, None), preprocess=None)
    table = crosslens.method("receptive_field", layers=("<output>",))(model, np.zeros((1, 3, 20, 30), np.float32))
    assert table.size == (20, 30)
    assert table["position"].tolist() == ["10,15"]


def test_positions_are_whole_numbers_and_images_pictures():
    with pytest.raises(ParameterError, match="a position is 'a,b'; write \"row,column\""):
        crosslens.method("receptive_field", positions=("a,b",))(TinyModel())
    torch = pytest.importorskip("torch")
    volumes = crosslens.wrap(torch.nn.Conv3d(1, 1, 3), input_shape=(1, 5, 5, 5), preprocess=None)
    with pytest.raises(ImageError, match="receptive_field takes pictures"):
        crosslens.method("receptive_field")(volumes)


def test_the_shell_prints_the_table_and_draws(tmp_path):
    pytest.importorskip("onnxruntime")
    Image.fromarray(np.full((224, 224, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    out = tmp_path / "rf.png"
    told = CliRunner().invoke(
        cli, ["run", "receptive_field", "demo:lite0_onnx", str(tmp_path / "grey.png"), "--layers", "blocks.5.bn2",
              "-o", str(out)],
    )  # fmt: skip
    assert told.exit_code == 0, told.output
    assert "83 x 83" in told.output
    assert out.read_bytes().startswith(b"\x89PNG")
