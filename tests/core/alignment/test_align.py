"""Layers matched without names, checked by the names that are known."""

import re
from itertools import combinations

import numpy as np
import pytest
from crosslens import INPUT, OUTPUT, align, wrap
from crosslens.alignment.similarity import heaviest_ordered_matching, pearson, relative_l2, similarities
from crosslens.errors import ComparisonError, LayerError
from crosslens.testing import TinyModel

from tests.conformance.plans import plan
from tests.conformance.zoo import BUILDERS, net


def zoo(backend, name):
    return net(backend, name).wrapped()


def names_of(model, layer):
    """What a layer is called anywhere: its name, its other names, and the block whose last part it is."""
    names = {layer, *model.layers[layer].aliases}
    return names | {re.sub(r"(\.\d+|\.pointwise|_0)$", "", name) for name in names}


def alignment_by_names(*models):
    """Every row joins layers that share a name, and every name that all have is a row."""
    alignment = align(*models)
    for row in alignment.rows:
        pairs = [(m, n) for m, n in zip(models, row.layers, strict=True) if n is not None]
        for (a, one), (b, other) in combinations(pairs, 2):
            assert names_of(a, one) & names_of(b, other), row
    return alignment


@pytest.mark.parametrize("name", ["smooth", "relu"])
def test_the_zoo_in_three_frameworks_is_matched_by_its_names(name):
    alignment = alignment_by_names(*(zoo(backend, name) for backend in BUILDERS if "functional" not in backend))
    matched = [set(row.layers) for row in alignment.rows if None not in row.layers]
    assert all({step.name} in matched for step in plan(name) if step.kind != "gap")
    assert min(row.agreement for row in alignment.rows) > 0.999999


COMMON = {("torch", "onnx"): 42, ("keras", "onnx"): 33, ("torch", "keras"): 47}
"""What mini-Xception's forms have in common: all of ONNX, where 14 convolutions are folded; of Keras, which has 8
separable ones in one piece, all but those and 6 that ONNX folds; all of Keras."""


@pytest.mark.parametrize(("a", "b"), COMMON)
def test_mini_xception_is_matched_by_its_names_though_branches_run_in_another_order(a, b):
    alignment = alignment_by_names(*(wrap(f"demo:xception_{each}") for each in (a, b)))
    assert len(alignment.rows) == COMMON[a, b]
    assert max(row.difference for row in alignment.rows) < 1e-5


def test_lite0_with_folded_normalisations_is_matched_by_its_names():
    torch, onnx = wrap("demo:lite0_torch"), wrap("demo:lite0_onnx")
    alignment = alignment_by_names(torch, onnx)
    assert len(alignment.rows) == len(onnx.layers)
    assert alignment.unmatched("onnx") == ()
    assert all("conv" in name for name in alignment.unmatched("torch"))
    assert alignment.translate("blocks.3.bn1", "torch", "onnx") == "blocks.3.bn1"
    assert alignment.translate("blocks", "torch", "onnx") == "blocks.15.bn2"
    assert all(a == b for a, b in (row.layers for row in alignment.rows) if not a.startswith("/"))
    assert alignment.translate("node_Conv_866", "onnx", "torch") == "blocks.3.bn1"
    with pytest.raises(LayerError, match=r"layer 'conv_head' of torch has no counterpart in onnx .*'bn1' is 'bn1'"):
        alignment.translate("conv_head", "torch", "onnx")


def test_a_layer_of_another_network_is_matched_with_nothing():
    alignment = align(TinyModel(), TinyModel(seed=7))
    for row in alignment.rows:
        assert row.layers[0] == row.layers[1]


def test_names_that_are_not_there_are_refused():
    alignment = align(TinyModel(), TinyModel())
    assert alignment.translate("conv2", "tiny", "tiny 2") == "conv2"
    with pytest.raises(LayerError, match="no layer 'conv9' in tiny"):
        alignment.translate("conv9", "tiny", "tiny 2")
    with pytest.raises(ComparisonError, match="this alignment has no model 'x'; it has tiny, tiny 2"):
        alignment.unmatched("x")


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ([TinyModel()], "aligning takes two models or more; there is 1"),
        ([TinyModel(), TinyModel(size=9)], "the models take different images"),
    ],
)
def test_what_cannot_be_aligned_is_refused(models, message):
    with pytest.raises(ComparisonError, match=message):
        align(*models)


def test_the_ends_are_rows_and_the_json_names_everything():
    said = align(TinyModel(), TinyModel()).as_json()
    assert said["rows"][0]["layers"] == [INPUT, INPUT]
    assert said["rows"][-1]["layers"] == [OUTPUT, OUTPUT]
    assert said["unmatched"] == {"tiny": [], "tiny 2": []}


def every_matching(n, m):
    """All sets of pairs in which both numbers grow."""
    for size in range(min(n, m) + 1):
        for rows in combinations(range(n), size):
            for columns in combinations(range(m), size):
                yield list(zip(rows, columns, strict=True))


def test_the_best_matching_in_order_is_that_of_trying_them_all():
    rng = np.random.default_rng(0)
    for n, m in [(1, 1), (3, 5), (5, 3), (5, 5)]:
        weight = rng.random((n, m)) * (rng.random((n, m)) < 0.6)
        matching = heaviest_ordered_matching(weight)
        best = max(sum(weight[p] for p in pairs) for pairs in every_matching(n, m))
        assert sum(weight[p] for p in matching) == pytest.approx(best)
        assert matching in list(every_matching(n, m))


def test_of_equally_good_matchings_the_earliest_is_taken():
    assert heaviest_ordered_matching(np.array([[1.0], [1.0]])) == [(0, 0)]
    assert heaviest_ordered_matching(np.array([[1.0, 1.0]])) == [(0, 0)]


def test_layers_are_alike_in_any_layout_and_not_otherwise():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(2, 4, 3, 5)).astype(np.float32)
    vector = maps.reshape(2, -1)
    others = {
        "same": maps,
        "tokens": maps.reshape(2, 4, 15).swapaxes(1, 2),
        "last": maps.transpose(0, 2, 3, 1).reshape(2, -1),
    }
    for layout, values in others.items():
        like = similarities([maps, vector], [values])
        place = int(like.score[:, 0].argmax())
        assert like.score[place, 0] == pytest.approx(1)
        assert like.layouts[place, 0] == layout
    assert similarities([maps], [rng.normal(size=maps.shape).astype(np.float32)]).score[0, 0] < 0.2


def test_correlation_and_relative_difference_are_what_they_say():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(2, 3))
    b = a + 0.1 * rng.normal(size=a.shape)
    assert pearson(a, b) == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    assert relative_l2(a, b) == pytest.approx(np.linalg.norm(a - b) / np.linalg.norm(a))
    zeros, ones = np.zeros(3), np.ones(3)
    assert (pearson(zeros, zeros), relative_l2(zeros, zeros)) == (1.0, 0.0)
    assert (pearson(zeros, ones), relative_l2(zeros, ones)) == (0.0, float("inf"))
