"""Transfer matrices by hand on affine networks, copies of one network, disputes, files and wrong use."""

import json
from dataclasses import dataclass
from typing import Any

import crosslens
import numpy as np
import pytest
from crosslens.attack import AttackMethod
from crosslens.errors import CrosslensError
from crosslens.robustness.transfer_matrix import Transfer
from crosslens.testing import TinyModel
from scipy.stats import binomtest

from .affine import Affine, pictures

EPS = 0.02
X = pictures(60)
A, B = Affine(3), Affine(3, turned=0.6)
FGSM = f"fgsm:eps={EPS}"


def by_hand(networks, x, truth=None):
    """Pictures x - eps sign(f) sign(w) of each network, tried on each, one image at a time."""
    fooled, counted = np.zeros((2, len(networks), len(networks), len(x)), bool)
    for s, source in enumerate(networks):
        w = np.sign(np.float64(source.w[1]) - source.w[0]).reshape(1, 6, 6)
        for n, image in enumerate(x):
            own = int(source.margin(image[None])[0] > 0)
            leave = own if truth is None else truth[n]
            made = image.astype(np.float64) + (1 if leave == 0 else -1) * EPS * w
            for t, target in enumerate(networks):
                right = int(target.margin(image[None])[0] > 0) == leave
                counted[s, t, n] = right and own == leave
                fooled[s, t, n] = int(target.margin(made[None])[0] > 0) != leave
    return fooled, counted


@pytest.mark.parametrize("labelled", [False, True], ids=["predictions", "labels"])
def test_the_matrix_is_the_one_by_hand(labelled):
    truth = np.where(np.arange(60) % 4 == 0, A.margin(X) < 0, A.margin(X) > 0).astype(int) if labelled else None
    result = crosslens.transfer({"a": A.model(), "b": B.model()}, (X, truth) if labelled else X, FGSM)
    fooled, counted = by_hand([A, B], X, truth)
    assert result.against == ("label" if labelled else "prediction")
    assert result.counts.tolist() == counted.tolist()
    assert (result.fooled & counted).tolist() == (fooled & counted).tolist()
    assert result["fooled"].tolist() == (fooled & counted).sum(axis=2).ravel().tolist()
    assert result["images"].tolist() == counted.sum(axis=2).ravel().tolist()
    off = result.matrix("fooled")[0, 1]
    assert 0 < off < result.matrix("fooled")[0, 0]
    expected = binomtest(int(off), int(result.matrix("images")[0, 1])).proportion_ci(method="wilson")
    assert [result.matrix(end)[0, 1] for end in ("low", "high")] == pytest.approx([expected.low, expected.high])
    both = (fooled[0, 0] & fooled[0, 1] & counted[0, 1]).sum() / (fooled[0, 0] & counted[0, 1]).sum()
    assert result.matrix("rate_of_source_fooled")[0, 1] == pytest.approx(both)


def test_margins_are_those_of_the_targets():
    result = crosslens.transfer({"a": A.model(), "b": B.model()}, X, FGSM)
    for s, own in enumerate((A, B)):
        sign = np.where(own.margin(X) > 0, 1, -1)
        for t, target in enumerate((A, B)):
            np.testing.assert_allclose(result.margins[s, t], sign * target.margin(result.pictures[s]), atol=1e-5)


def test_copies_of_one_network_fall_alike():
    """Another framework's copy differs by rounding: here by weights of another order of sums."""
    copy = Affine(3)
    copy.w = (copy.w * np.float32(1 + 2**-22)).astype(np.float32)
    result = crosslens.transfer({"a": A.model(), "copy": copy.model(), "b": B.model()}, X, FGSM)
    rate = result.matrix("fooled")
    assert result.alike == (("a", "copy"),)
    assert len({rate[0, 0], rate[0, 1], rate[1, 0], rate[1, 1]}) == 1
    assert rate[0, 2] == rate[1, 2]
    assert not result.dispute_rows()
    assert any("a, copy are one network" in note for note in result.notes)


@dataclass(frozen=True, kw_only=True)
class OntoTheBorder(AttackMethod):
    """As near to the border of A as float32 allows, on its far side."""

    name = "onto_the_border"

    @property
    def distance_norm(self) -> str:
        return "l2"

    def search(self, problem: Any, progress: Any) -> None:
        rows = problem.unfinished
        w = (np.float64(A.w[1]) - A.w[0]).reshape(1, 1, 6, 6)
        x = problem.of(rows).astype(np.float64)
        for more in (1 + 1e-6, 1 + 3e-6, 1 + 1e-5, 1 + 1e-4):
            step = -A.margin(x).reshape(-1, 1, 1, 1) * w / (w**2).sum()
            moved = (x + more * step).astype(np.float32)
            problem.offer(moved, rows, problem.logits(moved, rows))


def test_a_dispute_between_copies_is_listed_with_its_margins_and_decided():
    copy = Affine(3)
    copy.b = copy.b + np.float32(2e-5) * np.array([-1, 1], np.float32)
    result = crosslens.transfer({"a": A.model(), "copy": copy.model()}, X, OntoTheBorder())
    rows = [row for row in result.dispute_rows() if row["source"] == "a"]
    assert rows
    for row in rows:
        n = result.names.index(row["image"])
        assert result.fooled[0, 0, n] != result.fooled[0, 1, n]
        assert row["source_margin"] == result.margins[0, 0, n]
        assert row["target_margin"] == result.margins[0, 1, n]
        assert row["by_rounding"]
        assert row["rounding"] < 1e-4
        assert row["fools"] == (row["source_margin"] + row["target_margin"] < 0)
    assert any("fools one copy of a network and not another" in note for note in result.notes)


def test_targeted_pictures_count_where_they_reach_the_class():
    model, x = TinyModel(relu=True, seed=1), np.random.default_rng(0).random((6, 3, 8, 8), dtype=np.float32)
    attack = crosslens.method("pgd", eps=0.3, steps=5, towards=2)
    result = crosslens.transfer([model, model], x, attack, against="prediction")
    reached = model.forward(result.pictures[0])["<output>"].argmax(axis=1) == 2
    assert result.fooled[0, 1].tolist() == reached.tolist()


@pytest.mark.parametrize("ending", ["png", "svg", "html", "json", "csv", "npz"])
def test_it_is_saved_as_matrix_page_and_table(tmp_path, ending):
    result = crosslens.transfer({"a": A.model(), "b<i>": B.model()}, X[:5], FGSM)
    path = result.save(tmp_path / f"transfer.{ending}")
    if ending == "npz":
        again = crosslens.load(path)
        assert isinstance(again, Transfer)
        assert again == result
    elif ending == "json":
        saved = json.loads(path.read_text())
        assert saved["columns"]["fooled"] == result["fooled"].tolist()
        assert saved["counted"].startswith("Of each pair of networks those images count")
    elif ending == "html":
        page = path.read_text()
        assert "An attack that fails proves nothing." in page
        assert "tried on b&lt;i&gt;" in page
        assert page.count("<img") == 5 * 5
        assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    else:
        assert path.read_bytes().startswith({"png": b"\x89PNG", "svg": b"<?xml", "csv": b"source,target,rate"}[ending])


WIDE = TinyModel(size=12)
MORE = TinyModel(classes=7)
OTHER = TinyModel(seed=2)
OTHER.labels = [f"thing {k}" for k in range(5)]
SMALL = np.full((2, 3, 8, 8), 0.5, np.float32)


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        ([TinyModel()], {}, r"transfer takes two models or more.*there is 1"),
        ([TinyModel(), WIDE], {}, r"the models take different images"),
        ([TinyModel(), MORE], {}, r"the models have different outputs"),
        ([TinyModel(), OTHER], {}, r"the models name their classes differently"),
        ([TinyModel(), TinyModel(seed=1)], {"attack": "grad_cam"}, r"grad_cam is not an attack on single images"),
        ([TinyModel(), TinyModel(seed=1)], {"attack": "nope"}, r"'nope'"),
        ([TinyModel(), TinyModel(seed=1)], {"against": "label"}, r"has no label: make classes sub-folders"),
        ([TinyModel(), TinyModel(seed=1)], {"against": "truth"}, r"against is 'truth'; give one of auto"),
    ],
)
def test_wrong_use_gets_one_clear_line(models, options, message):
    with pytest.raises(CrosslensError, match=message) as error:
        crosslens.transfer(models, SMALL, **options)
    assert "\n" not in str(error.value)


def test_models_of_different_bounds_are_refused():
    with pytest.raises(CrosslensError, match=r"different ranges"):
        crosslens.transfer([A.model(), B.model(bounds=(0, 255))], X)
