"""What a person sees of everything crosslens gives: short text at the prompt, a table or picture in a notebook."""

import importlib.util
from xml.etree import ElementTree

import crosslens
import numpy as np
from crosslens.data import sweep
from crosslens.model import Layer, Layers
from crosslens.objective import channel, direction, logit
from crosslens.result.table import Table
from crosslens.testing import TinyModel

IMAGES = np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32)
BAD = "<script>alert(1)</script>"


def named(model=None):
    model = model or TinyModel()
    model.labels = [BAD, *model.labels[1:]]
    return model


def parsed(html):
    """The rows of the table as texts; it fails on what is not well formed."""
    tree = ElementTree.fromstring(html)
    assert not list(tree.iter("script"))
    return [["".join(cell.itertext()) for cell in row] for row in tree.iter("tr")]


def shown():
    """One of each kind of thing, by what it is."""
    model, other = TinyModel(), TinyModel(seed=1)
    averages = crosslens.method("mean_activation", layer="conv1")
    vector = np.linspace(0, 1, 6, dtype=np.float32)
    data = crosslens.data(IMAGES)
    made = crosslens.compare([model, other], "gradient", IMAGES, 1)
    yield from [model, model.layers["conv1"], model.input, model.output, model.preprocess]
    yield from [
        logit(3) - logit(1),
        channel("conv2", 2),
        direction("conv2", vector),
        data,
        sweep(model, data, [averages]),
    ]
    yield from [averages, crosslens.method("grad_cam"), crosslens.method("expected_gradients", background=IMAGES)]
    yield crosslens.method("gradient", preset="captum")
    yield from [
        made,
        made.view,
        crosslens.align(model, other, images=IMAGES),
        crosslens.diverge(model, other, images=IMAGES),
    ]
    yield from [averages(model, IMAGES), crosslens.method("insertion", method="gradient", steps=2)(model, IMAGES, 1)]
    yield from crosslens.search("activation_maximisation", model, None, 1, trials=1, vary={"steps": (1, 2)}).trials


def test_the_representation_is_at_most_three_lines():
    for thing in shown():
        text = repr(thing)
        assert len(text) <= 360, (type(thing), text)
        assert text.count("\n") < 3, (type(thing), text)
        assert "object at 0x" not in text, (type(thing), text)


def test_a_method_s_text_is_the_call_that_makes_it():
    for text in (
        "crosslens.method('grad_cam')",
        "crosslens.method('grad_cam', layer='conv1')",
        "crosslens.method('integrated_gradients', preset='captum', steps=8)",
    ):
        assert repr(eval(text)) == text


def test_an_objective_s_text_is_what_results_record():
    assert repr(logit(3) - logit(1)) == f"<Objective {logit(3) - logit(1)}>"


def test_a_model_is_a_table_of_what_it_takes_and_gives():
    rows = dict(parsed(named()._repr_html_()))
    assert rows["input"] == "(3, 8, 8), values from 0 to 1"
    assert rows["output"].startswith("(5,), ")
    assert rows["labels"] == f"5: {BAD}, class 1, class 2, ..."
    assert rows["layers"].startswith("8: ")


def test_layers_are_a_table_and_a_long_list_is_cut_at_the_prompt():
    model = TinyModel()
    assert repr(model.layers).splitlines()[1].split(None, 2) == ["conv1", "Conv", "(4, 8, 8)"]
    assert [row[0] for row in parsed(model.layers._repr_html_())] == ["layer", *model.layers]
    many = Layers({name: Layer(name, "Conv", (None, 4)) for name in map(str, range(200))})
    assert len(repr(many).splitlines()) == 25
    assert "176 more; list(model.layers) has all names" in repr(many)
    assert len(parsed(many._repr_html_())) == 201


def test_an_alignment_is_a_table_of_layers_side_by_side():
    made = crosslens.align({BAD: TinyModel(), "b": TinyModel()}, images=IMAGES)
    header, *rows = parsed(made._repr_html_())
    assert header[:2] == [BAD, "b"]
    assert [tuple(row[:2]) for row in rows] == [row.layers for row in made.rows]


def test_a_divergence_is_its_finding_and_a_table_of_layers():
    made = crosslens.diverge(TinyModel(), TinyModel(seed=1), images=IMAGES, names=(BAD, "b"))
    html = made._repr_html_()
    assert ElementTree.fromstring(html).find("p").text == made.text
    header, *rows = parsed(html)
    assert header[:2] == [BAD, "b"]
    assert [row[1] for row in rows if row[-1] == "differs"] == [step.b for step in made.faults]


def test_a_table_shows_its_first_rows():
    table = Table({"unit": np.arange(250), BAD: np.linspace(0, 1, 250)}, method="own", notes=("a note",))
    header, *rows = parsed(table._repr_html_())
    assert header == ["unit", BAD]
    assert (len(rows), rows[1]) == (100, ["1", "0.004016"])
    assert "... and 150 more" in table._repr_html_()
    assert "a note" in table._repr_html_()
    assert table._repr_png_() is None


def test_scores_are_a_plot_and_without_matplotlib_a_table(monkeypatch):
    made = crosslens.method("insertion", method="gradient", steps=2)(TinyModel(), IMAGES, 1)
    assert made._repr_html_() is None
    assert made._repr_png_().startswith(b"\x89PNG")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("crosslens.result.scores.find_spec", lambda name: None)
    assert parsed(made._repr_html_()) == [[name, f"{value:.4g}"] for name, value in made.figures().items()]
