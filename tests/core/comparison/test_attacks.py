"""Attacks in a comparison: success and distance by closed forms, disputes, and what the report says."""

import json
from dataclasses import dataclass
from typing import Any

import crosslens
import numpy as np
import pytest
from crosslens.attack import AttackMethod
from crosslens.comparison.verdict import judge
from crosslens.errors import ComparisonError
from crosslens.testing import TinyModel

from tests.core.robustness.affine import Affine, pictures

EPS = 0.008
X = pictures(40)
A, B = Affine(3), Affine(3, turned=0.6)


@pytest.fixture(scope="module")
def fgsm():
    return crosslens.method("fgsm", eps=EPS)


@pytest.fixture(scope="module")
def apart(fgsm):
    return crosslens.compare({"a": A.model(), "b": B.model()}, fgsm, X)


def test_success_of_both_is_that_of_their_borders(apart):
    """The target is the class that A predicts, for both; B is fooled at once where it says the other one."""
    radii = [np.where(np.sign(each.margin(X)) == np.sign(A.margin(X)), each.radii(X, "linf"), 0.0) for each in (A, B)]
    fooled = [radius <= EPS for radius in radii]
    assert [row["same_success"] for row in apart.images] == (fooled[0] == fooled[1]).astype(float).tolist()
    assert apart.view.attacks[0].runs[0].success == tuple(fooled[0])
    (row,) = apart.rows()
    assert row["same_success"] == 0
    assert "relative_l2" not in row


def test_distances_of_a_step_to_the_edge_of_the_ball_are_alike(apart):
    both = [row for row in apart.images if row.get("distance_difference", 1.0) < 1e-5]
    assert both
    runs = apart.view.attacks[0].runs
    assert runs[0].median_distance == pytest.approx(EPS, rel=1e-5)


def test_another_network_does_not_fall_alike_and_the_verdict_says_so(apart):
    assert not apart.view.verdict.agree
    assert "1 of 1 pairs of models do not fall alike: fgsm on a and b" in apart.view.verdict.text
    assert "maps" not in apart.view.verdict.text


def test_a_copy_falls_alike(fgsm):
    comparison = crosslens.compare({"a": A.model(), "copy": A.model()}, fgsm, X)
    (row,) = comparison.rows()
    assert (row["same_success"], row["shared_picture"], row["distance_difference"]) == (1, 1, 0)
    assert comparison.view.verdict.agree
    assert comparison.view.verdict.text.startswith("All pairs of models fall alike, 1 of 1")
    assert not comparison.noise


@dataclass(frozen=True, kw_only=True)
class ByChance(AttackMethod):
    """Fools the network that has this label for class 0 and spares the others, with a picture that fools all."""

    name = "by_chance"

    @property
    def distance_norm(self) -> str:
        return "linf"

    def search(self, problem: Any, progress: Any) -> None:
        rows = problem.unfinished
        w = np.sign(np.float64(A.w[1]) - A.w[0]).reshape(1, 1, 6, 6)
        x = problem.of(rows).astype(np.float64)
        step = 0.3 if problem.model.batch_size is None else 0.0
        moved = (x - step * np.sign(A.margin(x)).reshape(-1, 1, 1, 1) * w).astype(np.float32)
        problem.offer(moved, rows, problem.logits(moved, rows))


def test_where_only_the_way_of_an_attack_differs_both_fall_to_its_picture():
    comparison = crosslens.compare({"a": A.model(), "copy": A.model(batch_size=7)}, ByChance(), X[:5])
    assert [row["same_success"] for row in comparison.images] == [0.0] * 5
    assert [row["shared_picture"] for row in comparison.images] == [1.0] * 5
    assert judge(comparison.rows()[0]) == "rounding"
    assert comparison.view.verdict.agree


def test_the_report_shows_success_pictures_and_what_is_not_proved(apart, tmp_path):
    page = apart.save(tmp_path / "report.html").read_text()
    assert "<h1>Do a and b fall to the same attacks?</h1>" in page
    assert "An attack that fails proves nothing." in page
    assert "they are no claim that it is secure" in page
    assert "a: change x 62.5" in page
    assert page.count("fooled at 0.008") > 10
    assert "Made on" not in page
    assert "relative L2" not in page


def test_the_matrix_stands_in_the_report_on_demand(fgsm, tmp_path):
    comparison = crosslens.compare({"a": A.model(), "b": B.model()}, [fgsm, "gradient"], X, transfer=True)
    page = comparison.save(tmp_path / "report.html").read_text()
    assert "tried on b" in page
    assert "relative L2" in page  # of the maps
    assert "<h1>Do a and b look at the same things and fall to the same attacks?</h1>" in page
    saved = json.loads(comparison.save(tmp_path / "report.json").read_text())
    (attack,) = saved["attacks"]
    assert attack["transfer"]["columns"]["source"] == ["a", "a", "b", "b"]
    assert attack["runs"][0]["fooled"] == int((A.radii(X, "linf") <= EPS).sum())
    assert comparison._repr_html_()


def test_a_matrix_without_an_attack_is_refused():
    with pytest.raises(ComparisonError, match=r"none of the methods is one; leave it out"):
        crosslens.compare([TinyModel(), TinyModel()], "gradient", np.full((1, 3, 8, 8), 0.5, np.float32), transfer=True)
