"""empirical_receptive_field: sizes of units whose use of the picture is known."""

import crosslens
import numpy as np
import pytest
from crosslens.errors import LayerError


def evenly(kernel, size=28):
    """One convolution that weighs its whole window evenly."""
    torch = pytest.importorskip("torch")
    net = torch.nn.Conv2d(3, 2, kernel, padding=kernel // 2)
    with torch.no_grad():
        net.weight[:] = 1 / kernel**2
        net.weight[1] = 0
        net.weight[1, :, kernel // 2, kernel // 2] = 1
    return crosslens.wrap(net, input_shape=(3, size, size), preprocess=None)


def pictures(count=2, size=28):
    return np.random.default_rng(0).uniform(0.7, 1, (count, 3, size, size)).astype(np.float32)


def method(**more):
    return crosslens.method("empirical_receptive_field", layers=("<output>",), count=2, **more)


def test_a_unit_that_weighs_its_window_evenly_uses_all_of_it():
    result = method(units=(0,), window=5, stride=1)(evenly(9), pictures())
    assert result["theoretical"].tolist() == ["9 x 9"]
    assert result["size"][0] == pytest.approx(9, abs=1.5)
    assert result["share"][0] == pytest.approx(1, abs=0.2)


def test_a_unit_that_reads_one_pixel_uses_no_more_than_the_square():
    result = method(units=(1,), window=5, stride=1)(evenly(9), pictures())
    assert result["size"][0] <= 5
    assert result["theoretical"].tolist() == ["9 x 9"]


def discrepancy_from_the_paper(model, image, unit, position, window, seed):
    """Each square of random pixels of the picture, one after the other; the change at the square's centre."""
    cover = np.random.default_rng(seed).uniform(0, 1, image.shape).astype(np.float32)
    plain = model.forward(image)["<output>"][0, unit, *position]
    height, width = image.shape[2:]
    change = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            covered = image.copy()
            rows, columns = (
                slice(max(i - window // 2, 0), i + window // 2 + 1),
                slice(max(j - window // 2, 0), j + window // 2 + 1),
            )
            covered[:, :, rows, columns] = cover[:, :, rows, columns]
            change[i, j] = abs(model.forward(covered)["<output>"][0, unit, *position] - plain)
    return change


def test_maps_are_the_changes_that_the_paper_describes():
    model, size = evenly(5, 12), 12
    images = pictures(1, size)
    result = method(units=(0,), window=3, stride=1)(model, images)
    plain = model.forward(images)["<output>"][0, 0]
    row, column = np.unravel_index(plain.argmax(), plain.shape)
    expected = discrepancy_from_the_paper(model, images, 0, (row, column), 3, 0)
    got = np.asarray(result.maps)[0][size - 1 - row : 2 * size - 1 - row, size - 1 - column : 2 * size - 1 - column]
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_it_comes_back_whole_and_draws(tmp_path):
    result = method(units=(0,), window=5)(evenly(7), pictures())
    assert crosslens.load(result.save(tmp_path / "fields.npz")) == result
    assert result.save(tmp_path / "fields.png").read_bytes().startswith(b"\x89PNG")


def test_a_unit_that_does_not_exist_is_refused():
    with pytest.raises(LayerError, match="has 2 units, counted from 0; received unit 2"):
        method(units=(2,))(evenly(3), pictures())
