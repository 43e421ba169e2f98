"""Parameters in groups: plain keywords of the method, under the title of the group that declared them."""

from dataclasses import dataclass

from crosslens import method
from crosslens.method.base import Method
from crosslens.method.parameter import param
from crosslens.method.parameter_group import ParameterGroup, group_title, grouped_parameters
from crosslens.plugins.registry import method_class, methods


@dataclass(frozen=True, kw_only=True)
class Light(ParameterGroup):
    title = "light"
    colour: str = param("white", "of the lamp")
    strength: float = param(1.0, "of the lamp")


@dataclass(frozen=True, kw_only=True)
class Drawing(Light, Method):
    name = "drawing"
    paper: str = param("plain", "to draw on")
    strength: float = param(2.0, "of the lamp, as this method wants it")

    def run(self, model, images, objective, progress):
        raise NotImplementedError


def names(kind):
    return {title: [each.name for each in fields] for title, fields in grouped_parameters(kind).items()}


def test_own_parameters_come_first_and_a_changed_default_stays_in_its_group():
    assert names(Drawing) == {"": ["paper"], "light": ["colour", "strength"]}
    assert (Drawing().strength, group_title(Drawing(strength=3.0), "strength")) == (2.0, "light")


def test_a_method_without_groups_has_all_parameters_under_no_title():
    assert list(names(method_class("grad_cam"))) == [""]


def test_a_parameter_of_a_group_is_a_plain_keyword_of_the_method():
    assert method("activation_maximisation", shift=0.2, bound="clip").shift == 0.2
    groups = {"run", "random transforms", "regularisers", "parameterisation", "starting picture"}
    assert groups | {"generator", "learned prior"} == set(names(method_class("activation_maximisation")))


def test_no_group_of_parameters_that_make_pictures_has_more_than_eight():
    grouped = [method_class(name) for name in methods() if len(names(method_class(name))) > 1]
    assert grouped
    assert {(kind.name, title) for kind in grouped for title, group in names(kind).items() if len(group) > 8} == set()
