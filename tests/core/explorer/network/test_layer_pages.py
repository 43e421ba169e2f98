"""Pages of layers and facts of units: what a survey holds, joined by unit, and nulls for what it does not hold."""

import json

import crosslens
import numpy as np
import pytest
from crosslens.data import ArraySource
from crosslens.dissection.dissection import Dissection
from crosslens.explorer.data_folder import script
from crosslens.explorer.network.concept_index import leaves as concept_leaves
from crosslens.explorer.network.layer_pages import layer_line, leaves
from crosslens.explorer.network.unit_facts import unit_facts
from crosslens.testing import TinyModel

from tests.core.explorer.network.books import book_of

IMAGES = np.random.default_rng(0).random((24, 3, 8, 8), dtype=np.float32)


@pytest.fixture(scope="module")
def model():
    return TinyModel(relu=True)


@pytest.fixture(scope="module")
def results(model):
    methods = [
        crosslens.method("unit_statistics", layers=("act1", "act2"), bins=5, quantiles=(0.5,)),
        crosslens.method("top_examples", layers=("act2",), shown=0),
        crosslens.method("embedding", layer="act2"),
    ]
    survey = crosslens.sweep(model, ArraySource(IMAGES), methods)
    return {survey.method_of(label): survey[label] for label in survey}


def dissection():
    columns = {
        "layer": np.array(["act2"] * 2),
        "basis": np.array(["units"] * 2),
        "unit": np.array([4, 1]),
        "concept": np.array(["red", "blue"]),
        "category": np.array(["colour"] * 2),
        "iou": np.array([0.3, 0.02]),
        "null_iou": np.array([0.01, 0.02]),
        "threshold": np.array([1.0, 1.0]),
        "detector": np.array([True, False]),
    }
    ious, null = np.array([[0.3, 0.1, 0.0], [0.0, 0.02, 0.0]]), np.full((2, 3), 0.01)
    names, categories = ("red", "blue", "none"), ("colour",) * 3
    return Dissection(columns, concepts=names, categories=categories, ious=ious, null_ious=null, minimum_iou=0.04)


def page_of(book, layer):
    return {leaf.key: leaf.make() for leaf in leaves(book, lambda name: (None, []))}[f"layers/{book.ids[layer]}"]


def test_columns_and_histograms_are_of_each_unit(model, results):
    book = book_of(model, {**results, "dissect": dissection()})
    values = model.forward(IMAGES, ["act2", "conv2"])
    page, facts = page_of(book, "act2"), unit_facts(book, "act2")
    units = np.moveaxis(values["act2"], 1, 0).reshape(6, -1)
    np.testing.assert_allclose(page["columns"]["mean"], units.mean(axis=1), rtol=1e-5)
    norms = np.linalg.norm(model.weights("conv2")["kernel"].reshape(6, -1), axis=1)
    np.testing.assert_allclose(page["columns"]["kernel_norm"], norms, rtol=1e-5)
    for unit, each in enumerate(facts):
        assert each["statistics"]["maximum"] == units[unit].max()
        assert sum(each["histogram"]["counts"]) == units.shape[1] == sum(each["before"]["counts"])
        assert each["before"]["edges"][0] == pytest.approx(values["conv2"][:, unit].min(), rel=1e-5)
    assert page["figures"]["detectors"] == page["figures"]["concepts"] == 1


def test_concepts_are_joined_by_unit_the_best_first(model, results):
    book = book_of(model, {**results, "dissect": dissection()})
    page, facts = page_of(book, "act2"), unit_facts(book, "act2")
    assert page["columns"]["concept"] == ["", "blue", "", "", "red", ""]
    assert page["columns"]["detector"] == [False, False, False, False, True, False]
    assert [(c["concept"], c["iou"], c["detector"]) for c in facts[4]["concepts"]] == [
        ("red", 0.3, True),
        ("blue", 0.1, True),
    ]
    assert facts[0]["concepts"] == []
    json.loads(script("layers/4", page)[len('crosslens.put("layers/4", ') : -2])


def test_nearest_units_are_those_whose_answers_go_together(model, results):
    facts = unit_facts(book_of(model, results), "act2")
    answers = model.forward(IMAGES, ["act2"])["act2"].mean(axis=(2, 3))
    expected = np.corrcoef(answers.T)
    assert facts[0]["nearest_by"] == "answers over the data"
    for unit, each in enumerate(facts):
        others = np.delete(np.arange(6), unit)
        order = others[np.argsort(-expected[unit][others])]
        assert [near["unit"] for near in each["nearest"]] == order.tolist()
        np.testing.assert_allclose([n["likeness"] for n in each["nearest"]], expected[unit][order], atol=1e-3)


def test_without_answers_they_are_those_with_kernels_alike(model, results):
    facts = unit_facts(book_of(model, {"unit_statistics": results["unit_statistics"]}), "act1")
    kernels = model.weights("conv1")["kernel"].reshape(4, -1)
    cosine = kernels[2] @ kernels[0] / np.linalg.norm(kernels[2]) / np.linalg.norm(kernels[0])
    assert facts[2]["nearest_by"] == "kernels"
    assert next(n["likeness"] for n in facts[2]["nearest"] if n["unit"] == 0) == pytest.approx(cosine, abs=1e-4)


def test_what_a_survey_does_not_hold_is_null_and_no_error(model, results):
    book = book_of(model, {"top_examples": results["top_examples"]})
    page, facts = page_of(book, "act2"), unit_facts(book, "act2")
    assert book.layers == ("act2",)
    assert page["looked_at"] == "conv2"
    top = model.forward(IMAGES, ["conv2"])["conv2"].max(axis=(0, 2, 3))
    np.testing.assert_allclose(page["columns"]["strongest"], top, rtol=1e-5)
    assert (facts[0]["histogram"], facts[0]["statistics"]) == (None, {})
    assert layer_line(book, "act2")["dead"] is None
    assert leaves(book_of(model), lambda name: (None, [])) == []


def test_only_rectified_units_are_called_dead(model):
    method = crosslens.method("unit_statistics", layers=("conv2", "act2", "fc"))
    survey = crosslens.sweep(model, ArraySource(IMAGES), [method])
    book = book_of(model, {"unit_statistics": survey[next(iter(survey))]})
    values = model.forward(IMAGES, ["conv2", "act2", "fc"])
    assert layer_line(book, "act2")["dead"] == (values["act2"].max(axis=(0, 2, 3)) <= 0).sum()
    assert {"dead", "nearly_dead"} <= page_of(book, "act2")["columns"].keys() & unit_facts(book, "act2")[0][
        "statistics"
    ].keys()
    for name in ("conv2", "fc"):
        assert layer_line(book, name)["dead"] is None
        page, fact = page_of(book, name), unit_facts(book, name)[0]
        for found in (page["columns"], page["figures"], fact["statistics"]):
            assert "mean" in found or found is page["figures"]
            assert not any("dead" in key for key in found)


def test_each_concept_leads_to_its_units_the_best_first(model, results):
    book = book_of(model, {**results, "dissect": dissection()})
    (leaf,) = concept_leaves(book)
    number = book.ids["act2"]
    rows = {row["concept"]: (row["category"], row["units"]) for row in leaf.make()["concepts"]}
    assert rows == {"red": ("colour", [[number, 4, 0.3]]), "blue": ("colour", [[number, 4, 0.1], [number, 1, 0.02]])}
    assert concept_leaves(book_of(model, results)) == []


def test_the_stamp_changes_with_the_numbers_and_nothing_else(model, results):
    stamps = [
        leaf.stamp
        for given in (results, dict(results), {**results, "dissect": dissection()})
        for leaf in leaves(book_of(model, given), lambda name: (None, []))
        if leaf.what == "layer act2"
    ]
    assert stamps[0] == stamps[1] != stamps[2]
