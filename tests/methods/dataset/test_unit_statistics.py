"""Unit statistics against NumPy on whole activations, a network with dead units, and what is saved and shown."""

import crosslens
import numpy as np
import pytest
from crosslens.arrays import as_numpy
from crosslens.data import ArraySource
from crosslens.errors import LayerError, ParameterError
from crosslens.testing import TinyModel

IMAGES = np.random.default_rng(0).random((17, 3, 8, 8), np.float32)


def model_with_dead_units():
    """Unit 1 of act1 can never answer, unit 2 of act2 neither."""
    model = TinyModel(relu=True)
    first, second = dict(model.weights("conv1")), dict(model.weights("conv2"))
    bias = as_numpy(first["bias"]).copy()
    bias[1] = -1000
    other = as_numpy(second["bias"]).copy()
    other[2] = -1000
    return model._with_weights({"conv1": {**first, "bias": bias}, "conv2": {**second, "bias": other}})


@pytest.fixture(scope="module")
def result():
    return crosslens.method("unit_statistics", layers=("rectified",), bins=9)(model_with_dead_units(), IMAGES)


@pytest.fixture(scope="module")
def values():
    activations = model_with_dead_units().forward(IMAGES, ["conv1", "act1", "act2"])
    return {name: np.moveaxis(as_numpy(a), 1, -1).astype(np.float64) for name, a in activations.items()}


@pytest.mark.parametrize("layer", ["act1", "act2"])
def test_moments_are_those_of_all_values(result, values, layer):
    rows, flat = result.rows_of(layer), values[layer].reshape(-1, values[layer].shape[-1])
    expected = {
        "mean": flat.mean(axis=0),
        "deviation": flat.std(axis=0),
        "minimum": flat.min(axis=0),
        "maximum": flat.max(axis=0),
        "zeros": (flat == 0).mean(axis=0),
        "q0.995": np.quantile(flat, 0.995, axis=0, method="inverted_cdf"),
    }
    for name, wanted in expected.items():
        np.testing.assert_allclose(result[name][rows], wanted, rtol=1e-6, atol=1e-7, err_msg=name)


def test_dead_units_are_named(result):
    dead = [(str(result["layer"][n]), int(result["unit"][n])) for n in np.flatnonzero(result["dead"])]
    assert dead == [("act1", 1), ("act2", 2)]
    note = "2 units in 2 of 2 layers are dead, never above zero (column 'dead'): 'act1' 1 of 4, 'act2' 1 of 6"
    assert note in result.notes
    assert result.layers["act2"]["dead"] == 1


def test_sparsity_is_vinje_and_gallants(result, values):
    responses = values["act2"].mean(axis=(1, 2))

    def sparsity(r):
        n = len(r)
        return (1 - (sum(r) / n) ** 2 / (sum(r**2) / n)) / (1 - 1 / n)

    rows = result.rows_of("act2")
    for unit in (0, 1, 3):
        np.testing.assert_allclose(result["sparsity"][rows][unit], sparsity(responses[:, unit]), rtol=1e-5)
    assert result["sparsity"][rows][2] == 0
    population = np.mean([sparsity(image) for image in responses])
    np.testing.assert_allclose(result.layers["act2"]["population_sparsity"], population, rtol=1e-5)


def test_histograms_before_and_after_the_rectifier_are_numpys(values):
    model = crosslens.method("unit_statistics", layers=("act1",), quantiles=(), bins=9)
    known = model(TinyModel(relu=True), IMAGES).histograms["act1"]
    activations = as_numpy(TinyModel(relu=True).forward(IMAGES, ["act1"])["act1"])
    for unit in range(4):
        counts, _ = np.histogram(activations[:, unit], bins=known["edges"][unit])
        np.testing.assert_array_equal(known["counts"][unit], counts)


def test_moments_alone_take_one_round():
    method = crosslens.method("unit_statistics", layers=("act1",), quantiles=(), bins=0)
    rounds = set()
    result = method(TinyModel(relu=True), IMAGES, progress=lambda done, total, what: rounds.add(what))
    assert rounds == {"round 1"}
    assert not result.histograms
    assert "q0.5" not in result.columns


def test_a_saved_table_comes_back_whole(result, tmp_path):
    again = crosslens.load(result.save(tmp_path / "units.npz"))
    assert again == result
    assert type(again) is type(result)


def test_a_sheet_of_plots_is_saved(result, tmp_path):
    pytest.importorskip("matplotlib")
    from PIL import Image

    with Image.open(result.save(tmp_path / "units.png")) as picture:
        assert min(picture.size) > 500


def test_what_is_not_there_is_refused(result):
    with pytest.raises(LayerError, match="no layer 'act3' in this table"):
        result.rows_of("act3")
    with pytest.raises(ParameterError, match="units 0 to 3; 4 is none"):
        result.plot_unit(None, "act1", 4)
    with pytest.raises(ParameterError, match="quantiles holds a share twice"):
        crosslens.method("unit_statistics", quantiles=(0.5, 0.5))(TinyModel(), ArraySource(IMAGES))


@pytest.mark.parametrize(("layers", "default"), [((), True), (("all",), False), (("rectified",), False)])
def test_a_word_for_layers_is_no_default(layers, default):
    """`default_layer` says whether crosslens chose a layer, and names are what a result records."""
    result = crosslens.method("unit_statistics", layers=layers, quantiles=(), bins=0)(TinyModel(relu=True), IMAGES)
    assert result.provenance["default_layer"] is default
    assert not {"all", "rectified"}.intersection(result.provenance["layers"])
