"""Parameters are declared once and checked at the call: type, bounds, choices."""

from dataclasses import dataclass
from math import inf, nan
from pathlib import Path
from typing import Any, Union

import crosslens
import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.method import Method, param
from crosslens.method.parameter import Bounds, check_value
from crosslens.result import Attribution
from crosslens.testing import TinyModel

IMAGES = np.full((1, 3, 8, 8), 0.5, np.float32)


@dataclass(frozen=True, kw_only=True)
class Bounded(Method):
    """A method of every kind of bound; it gives the images back."""

    name = "bounded"
    count: int = param(3, "how many", minimum=1)
    rate: float = param(0.1, "how fast", above=0)
    share: float | None = param(None, "what share", minimum=0, maximum=1)
    areas: float | tuple[float, ...] = param(0.5, "shares", above=0, below=1)
    sides: tuple[int, int] | None = param(None, "height and width", minimum=1)
    mode: str = param("cut", "which", choices=("cut", "inside"))
    cover: str | Any = param("black", "a name or an array", choices=("black", "white"))
    exact: bool = param(True, "whether")
    file: Path | None = param(None, "a file")

    def run(self, model, images, objective, progress):
        return Attribution(images)


class Untouched(TinyModel):
    """A network that must not be run."""

    def forward(self, *args, **keywords):
        raise AssertionError("the network was run before the parameters were checked")

    linearize = forward


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"count": 0}, "count is 0; it must be a whole number, at least 1"),
        ({"count": 2.0}, "count is 2.0; it must be a whole number, at least 1"),
        ({"count": True}, "count is True; it must be a whole number, at least 1"),
        ({"count": None}, "count is None; it must be a whole number, at least 1"),
        ({"rate": 0}, "rate is 0; it must be a number, above 0"),
        ({"rate": inf}, "rate is inf; it must be a finite number, above 0"),
        ({"rate": nan}, "rate is nan; it must be a finite number, above 0"),
        ({"share": 1.5}, "share is 1.5; it must be a number, at least 0 and at most 1, or None"),
        ({"areas": 1}, "areas is 1; it must be a number or several numbers, above 0 and below 1"),
        ({"areas": (0.5, 1.0)}, "areas is (0.5, 1.0); it must be a number or several numbers, above 0 and below 1"),
        ({"sides": (3,)}, "sides is (3,); it must be 2 whole numbers, at least 1, or None"),
        ({"sides": (3, 0)}, "sides is (3, 0); it must be 2 whole numbers, at least 1, or None"),
        ({"mode": "inner"}, "mode is 'inner'; it must be cut or inside"),
        ({"mode": "insid"}, "mode is 'insid'; it must be cut or inside. Did you mean 'inside'?"),
        ({"mode": 3}, "mode is 3; it must be cut or inside"),
        ({"cover": "blak"}, "cover is 'blak'; it must be black or white. Did you mean 'black'?"),
        ({"exact": 1}, "exact is 1; it must be True or False"),
    ],
)
def test_a_wrong_value_is_refused_by_name_before_the_network_is_run(values, text):
    method = Bounded(**values)
    with pytest.raises(ParameterError) as caught:
        method(Untouched(), IMAGES, 1)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "values",
    [
        {"count": np.int64(1), "rate": np.float32(1e-9), "share": 0},
        {"share": 1, "areas": [0.1, 0.9], "sides": np.asarray([1, 2])},
        {"cover": np.zeros((3, 8, 8)), "exact": np.bool_(False), "file": "a.npz"},
    ],
)
def test_a_value_within_its_bounds_is_taken(values):
    assert Bounded(**values)(TinyModel(), IMAGES, 1).values.shape == IMAGES.shape


def test_a_value_is_stored_as_it_was_given():
    assert Bounded(count=-5, areas=[2]).count == -5


def test_bounds_stay_under_a_preset_and_in_a_copy():
    method = crosslens.method("smooth_grad", preset="captum", samples=0)
    with pytest.raises(ParameterError, match="samples is 0; it must be a whole number, at least 1"):
        method(Untouched(), IMAGES, 1)


@pytest.mark.parametrize("annotation", [Any, Path, "int", Path | None, Union[Path, str]])  # noqa: UP007
def test_a_type_that_is_not_known_is_not_checked_but_its_bounds_are(annotation):
    check_value("size", object(), annotation)
    with pytest.raises(ParameterError, match="size is 0; it must be a number, at least 1"):
        check_value("size", 0, annotation, Bounds(minimum=1))


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("expected_gradients", {"samples": 0}, "samples is 0; it must be a whole number, at least 1"),
        ("smooth_grad", {"noise": -0.1}, "noise is -0.1; it must be a number, at least 0"),
        ("smooth_grad", {"samples": 1, "statistic": "sample_variance"}, "samples is 1; .* needs at least 2"),
        (
            "integrated_gradients",
            {"rule": "trapezoid", "steps": 1},
            "steps is 1; the rule 'trapezoid' needs at least 2",
        ),
        ("sensitivity", {"step": 0.0}, "step is 0.0; it must be a number, above 0"),
        ("score_cam", {"weights": "probabilty"}, "weights is 'probabilty'; .* Did you mean 'probability'?"),
        ("attention_rollout", {"heads": "median"}, "heads is 'median'; it must be mean, max or min"),
        ("rise", {"p": 1}, "p is 1; it must be a number, above 0 and below 1"),
        ("extremal", {"areas": (0.1, 1.0)}, "areas is .*; it must be a number or several numbers, above 0 and below 1"),
        ("lime", {"samples": 1}, "samples is 1; a linear model takes 2 copies at least"),
        (
            "occlusion",
            {"window": (4, 0)},
            "window is .*; it must be a whole number or several whole numbers, at least 1",
        ),
        ("deletion", {"method": "rise", "steps": 0}, "steps is 0; it must be a whole number, at least 1"),
        ("localise", {"threshold": "ots"}, "threshold is 'ots'; it must be a number, above 0 and at most 1, or otsu"),
        ("sensitivity_max", {"seed": -1}, "seed is -1; it must be a whole number, at least 0"),
    ],
)
def test_a_method_refuses_a_wrong_value_before_any_work(name, values, text):
    method = crosslens.method(name, **values)
    with pytest.raises(ParameterError, match=text):
        method(Untouched(), IMAGES, 1)


def test_a_method_that_is_judged_is_checked_too():
    judged = crosslens.method("rise", samples=0)
    with pytest.raises(ParameterError, match="samples is 0"):
        crosslens.method("insertion", method=judged)(Untouched(), IMAGES, 1)


@pytest.mark.parametrize("value", [10**12, 10**400, 10**5000, np.int64(2**40)], ids=["12", "400", "5000", "numpy"])
def test_a_count_that_nobody_can_have_is_refused_before_work(value):
    with pytest.raises(
        ParameterError, match=r"^samples is .*; it must be a whole number, at least 1 and at most 4294967295$"
    ):
        check_value("samples", value, int, Bounds(minimum=1))


def test_a_whole_number_that_is_no_float_is_refused_where_a_number_is_asked_for():
    with pytest.raises(ParameterError, match=r"rate is 1000.*; it must be a finite number"):
        check_value("rate", 10**400, float, Bounds(above=0))
