"""The contract of a method over a data set: settled, asked for statistics, finished, with its provenance."""

from dataclasses import dataclass

import crosslens
import numpy as np
import pytest
from crosslens import Statistic, param, testing
from crosslens.arrays import as_numpy
from crosslens.data import ArraySource, sweep
from crosslens.errors import ImageError, ParameterError, PluginError
from crosslens.method import DatasetMethod
from crosslens.model.input_spec import InputSpec
from crosslens.result.table import Table

IMAGES = np.random.default_rng(2).random((6, 3, 8, 8), dtype=np.float32)


@dataclass(frozen=True)
class Count(Statistic):
    """How many of a layer's values are above a threshold."""

    layer: str
    above: float

    @property
    def layers(self):
        return frozenset({self.layer})

    def empty(self):
        return {"count": np.int64(0), "largest": np.float64(-np.inf)}

    def add(self, state, batch):
        values = as_numpy(batch.activations[self.layer])
        return self.merge(state, {"count": np.int64((values > self.above).sum()), "largest": np.float64(values.max())})

    def merge(self, first, second):
        return {
            "count": first["count"] + second["count"],
            "largest": np.maximum(first["largest"], second["largest"]),
        }


@dataclass(frozen=True, kw_only=True)
class Tops(DatasetMethod):
    """How many values come near the largest one."""

    name = "tops"
    layer: str | None = param(None, "layer")
    share: float = param(0.5, "of the largest value")

    def network_defaults(self, model):
        return {} if self.layer else {"layer": "conv1"}

    def statistics(self, model, source, gathered=None):
        first = Count(self.layer, 0.0)
        return [Count(self.layer, self.share * float(gathered[first]["largest"]))] if gathered else [first]

    def finish(self, model, source, gathered, progress):
        (_, count) = gathered.values()
        return Table({"count": np.array([count["count"]])})


def test_a_second_round_uses_what_the_first_gathered():
    values = testing.TinyModel().forward(IMAGES, ["conv1"])["conv1"]
    assert Tops()(testing.TinyModel(), IMAGES).columns["count"] == (values > 0.5 * values.max()).sum()


def test_the_result_says_where_it_came_from():
    source = ArraySource(IMAGES)
    result = Tops(share=0.25)(testing.TinyModel(), source)
    assert (result.method, result.parameters) == ("tops", {"layer": None, "share": 0.25})
    assert (result.provenance["layers"], result.provenance["default_layer"]) == (["conv1"], True)
    assert result.provenance["model"] == testing.TinyModel().digest
    assert "objective" not in result.provenance
    said = result.provenance["source"]
    assert (said["digest"], said["images"], said["read"], said["failures"]) == (source.digest, 6, 6, [])


def test_notes_name_three_failures_and_the_provenance_lists_all():
    images = np.concatenate([IMAGES, np.full((5, 3, 8, 8), np.nan, np.float32)])
    result = Tops()(testing.TinyModel(), images)
    (note,) = result.notes
    assert note.startswith("5 of 11 images could not be read and are left out: 6, 7, 8, ...; 6: images hold NaN")
    assert [each["id"] for each in result.provenance["source"]["failures"]] == ["6", "7", "8", "9", "10"]


def test_a_network_whose_images_mix_is_run_one_by_one_and_says_so():
    class Mixing(testing.TinyModel):
        def _run(self, x, replace):
            return super()._run(x - x.mean(axis=0, keepdims=True) + 0.5 * x, replace)

    alone, together = (Tops()(Mixing(), images) for images in (IMAGES[:1], IMAGES))
    assert any("mixes the images of a batch" in note for note in together.notes)
    assert together.provenance["source"]["micro_batch"] == 1
    assert alone.columns["count"] <= together.columns["count"]


def test_wrong_types_of_parameters_are_refused():
    with pytest.raises(ParameterError, match="share is 'half'; it must be a number"):
        Tops(share="half")(testing.TinyModel(), IMAGES)


def test_a_model_of_something_else_than_images_is_refused():
    model = testing.TinyModel()
    model.input = InputSpec.latent((100,))
    with pytest.raises(ImageError, match=r"holds images, and this model takes \(100,\), which is not an image"):
        Tops()(model, IMAGES)


def test_a_folder_of_pictures_is_not_for_a_model_of_volumes(tmp_path):
    crosslens.save_image(IMAGES[0], tmp_path / "1.png")
    model = testing.TinyModel()
    model.input = InputSpec((3, 4, 8, 8))
    with pytest.raises(ImageError, match=r"holds pictures \(C, H, W\), and this model takes volumes"):
        Tops()(model, tmp_path)


def test_by_name_it_takes_parameters_and_no_preset():
    assert crosslens.method("mean_activation", layer="fc").layer == "fc"
    with pytest.raises(ParameterError, match="mean_activation has no parameter 'layr'"):
        crosslens.method("mean_activation", layr="fc")
    with pytest.raises(ParameterError, match="mean_activation has no preset 'captum'; it has none"):
        crosslens.method("mean_activation", preset="captum")


def test_what_takes_single_images_refuses_it():
    with pytest.raises(PluginError, match="mean_activation works over a data set, not on single images"):
        crosslens.plugins.image_method_class("mean_activation")
    assert "mean_activation" in crosslens.methods()
    assert "mean_activation" not in crosslens.plugins.image_methods()


def test_a_kit_finds_a_float_sum_that_is_not_float64():
    class Coarse(Count):
        def empty(self):
            return {"count": np.float32(0), "largest": np.float32(-np.inf)}

        def add(self, state, batch):
            return {name: values.astype(np.float32) for name, values in super().add(state, batch).items()}

    @dataclass(frozen=True, kw_only=True)
    class Wrong(Tops):
        def statistics(self, model, source, gathered=None):
            return [Coarse(self.layer, 0.0)]

    checks = {check.name: check for check in testing.checks(Wrong())}
    with pytest.raises(AssertionError, match="float32; sums are float64"):
        checks["states_are_arrays"]()


def test_a_kit_finds_a_merge_that_forgets_a_side():
    class Forgetful(Count):
        def merge(self, first, second):
            return second

    @dataclass(frozen=True, kw_only=True)
    class Wrong(Tops):
        def statistics(self, model, source, gathered=None):
            return [Forgetful(self.layer, 0.0)]

    checks = {check.name: check for check in testing.checks(Wrong())}
    for name in ("merged_states_are_one_pass", "empty_state_is_neutral"):
        with pytest.raises(AssertionError):
            checks[name]()


def test_methods_that_share_a_sweep_give_what_each_gives_alone():
    model, source = testing.TinyModel(), ArraySource(IMAGES)
    means = crosslens.method("mean_activation", layer="conv1")
    shared = sweep(model, source, [Tops(layer="conv1"), means])
    for method in (Tops(layer="conv1"), means):
        alone, together = method(model, source), method.result(model, source, shared, start=0.0)
        assert together.provenance["source"] == alone.provenance["source"]
        for name, values in alone.columns.items():
            np.testing.assert_array_equal(together.columns[name], values)
