"""Maps enlarged as other programs do, against the functions that these call: SciPy's, PyTorch's; NumPy's quantiles."""

import numpy as np
import pytest
from crosslens.data import data, sweep
from crosslens.dissection.basis import UNITS
from crosslens.dissection.enlargement import Enlarger
from crosslens.dissection.thresholds import MapCounts, ThresholdRule
from crosslens.testing import TinyModel

MAPS = np.random.default_rng(0).standard_normal((3, 5, 7)).astype(np.float32)
START, FIELD, STEP = -3, 11, 4
SPANS = np.array([[START + STEP * n, START + STEP * n + FIELD] for size in MAPS.shape[1:] for n in range(size)], float)


def test_netdissects_maps_are_splines_of_the_first_degree_over_whole_pixels():
    """Its anchors: (field // 2 + start) // reduction, then steps of step // reduction; a spline ends at its knots."""
    interpolate = pytest.importorskip("scipy.interpolate")
    for reduction, size in ((1, (20, 28)), (2, (10, 14))):
        found = Enlarger("whole_pixels", SPANS, (20, 28)).enlarged(MAPS, size)
        first = (FIELD // 2 + START) // reduction
        knots = [first + STEP // reduction * np.arange(n) for n in MAPS.shape[1:]]
        for got, values in zip(found, MAPS, strict=True):
            spline = interpolate.RectBivariateSpline(*knots, values, kx=1, ky=1)
            np.testing.assert_allclose(got, spline(*map(np.arange, size)), atol=1e-6)


def test_dissects_maps_are_those_of_grid_sample_with_aligned_corners():
    """Its grid: (pixel - (scale - 1) / 2) / scale, from -1 to 1 between the outermost values; zeros beyond."""
    torch = pytest.importorskip("torch")
    size = (16, 16)
    found = Enlarger("zeros", SPANS, (32, 32)).enlarged(MAPS, size)
    axes = []
    for values, count in zip(MAPS.shape[1:], size, strict=True):
        scale = count / values
        axes.append(torch.tensor((np.arange(count) - (scale - 1) / 2) * 2 / (scale * (values - 1)) - 1).float())
    y, x = torch.meshgrid(*axes, indexing="ij")
    wanted = torch.nn.functional.grid_sample(
        torch.from_numpy(MAPS)[None], torch.stack([x, y], dim=-1)[None], mode="bilinear", align_corners=True
    )
    np.testing.assert_allclose(found, wanted[0].numpy(), atol=1e-5)


@pytest.mark.parametrize("rule", ["linear", "hazen"])
def test_thresholds_between_two_values_are_numpys_quantiles(rule):
    """linear: NetDissect's table of 1,000 steps, made to agree with numpy.percentile; hazen: dissect's own."""
    pictures = np.random.default_rng(4).random((5, 3, 8, 8), dtype=np.float32)
    model = TinyModel()

    class Thresholds:
        def statistics(self, model, source, gathered=None):
            return ThresholdRule(0.9, rule).of("conv1", UNITS, gathered or {})[0]

    gathered = sweep(model, data(pictures), [Thresholds()]).states
    assert all(isinstance(each, MapCounts) for each in gathered)
    _, found = ThresholdRule(0.9, rule).of("conv1", UNITS, gathered)
    maps = np.asarray(model.forward(pictures, ["conv1"])["conv1"]).astype(np.float64)
    wanted = np.quantile(maps.swapaxes(0, 1).reshape(maps.shape[1], -1), 0.9, axis=1, method=rule)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
