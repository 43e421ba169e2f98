"""A function of the output as a target, in NumPy: its value, its gradient by differences, and what is refused."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import TargetError
from crosslens.objective import channel, function, layer, output
from crosslens.testing import TinyModel

IMAGES = np.random.default_rng(0).random((3, 3, 8, 8)).astype(np.float32)


def gradient(target, model=None):
    return crosslens.method("gradient")(model or TinyModel(), IMAGES, target)


def test_a_function_is_the_objective_of_the_same_formula():
    asked = gradient(lambda out: out[:, 3] - 2 * out[:, 1])
    np.testing.assert_allclose(asked.values, gradient(output(3) - 2 * output(1)).values, rtol=1e-5, atol=1e-7)
    assert asked.provenance["objective"] == "lambda out: out[:, 3] - 2 * out[:, 1]"


def test_differences_are_the_derivative_of_a_smooth_function():
    """log sum exp has the softmax as its gradient."""
    out = {"<output>": np.random.default_rng(1).normal(size=(4, 7)) * 3}
    target = function(lambda out: np.log(np.exp(out).sum(axis=1)))
    exp = np.exp(out["<output>"])
    np.testing.assert_allclose(target.value(out), np.log(exp.sum(1)))
    np.testing.assert_allclose(target.cotangents(out)["<output>"], exp / exp.sum(1, keepdims=True), atol=1e-7)


def test_a_function_that_works_in_place_has_its_own_gradient():
    def shifted_square(out):
        out *= 2
        out -= out.mean(axis=1, keepdims=True)
        return out[:, 1] ** 2

    out = np.random.default_rng(1).normal(size=(4, 5))
    given, centred = out.copy(), 2 * (out - out.mean(1, keepdims=True))
    value, gradients = function(shifted_square).value_and_cotangents({"<output>": given})
    expected = 2 * centred[:, 1:2] * 2 * (np.arange(5) == 1) - 4 * centred[:, 1:2] / 5
    np.testing.assert_allclose(value, centred[:, 1] ** 2)
    np.testing.assert_allclose(gradients["<output>"], expected, atol=1e-6)
    np.testing.assert_array_equal(given, out)


def test_a_function_reads_several_layers_and_combines_with_objectives():
    """The sum of squares of a layer, plus a channel times two."""
    both = function(lambda conv, out: (conv**2).sum(axis=(1, 2, 3)) + out[:, 1], ["conv1", "<output>"])
    asked, expected = gradient(2 * both - output(1)), gradient(2 * layer("conv1") + output(1))
    np.testing.assert_allclose(asked.values, expected.values, rtol=1e-4, atol=1e-6)


def test_value_methods_and_integrated_gradients_take_a_function():
    for name, values in (("occlusion", {}), ("integrated_gradients", {"steps": 4}), ("grad_cam", {"layer": "conv1"})):
        run = crosslens.method(name, **values)
        of_function, of_objective = (run(TinyModel(), IMAGES, t).values for t in (lambda out: out[:, 1], output(1)))
        np.testing.assert_allclose(of_function, of_objective, rtol=1e-4, atol=1e-6)


class Named:
    def __call__(self, out):
        return out[:, 1]


def second_class(out):
    return out[:, 1]


@pytest.mark.parametrize(("f", "name"), [(second_class, "second_class"), (Named(), "Named")])
def test_a_result_records_the_functions_name(f, name):
    assert gradient(f).provenance["objective"] == name
    assert str(function(f, ["conv1"])) == f"{name} of 'conv1'"


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda out: out.mean(), r"gives one number or a float\d+ for 3 images; .*\(N,\), from \(3, 5\): out\[:, 3\]"),
        (lambda out: out, r"gives shape \(3, 5\) for 3 images; it must give one number for each image"),
        (lambda out: out[:, 1] - out.mean(), r"lambda out: out\[:, 1\] - out\.mean\(\) mixes images: .* not out\.mean"),
        (lambda out: out[:, 9], r"fails on \(3, 5\): IndexError: index 9"),
        (lambda out: out[:2, 1], r"gives shape \(2,\) for 3 images"),
        (lambda out: torch.where(out[:, 1] > 0, out[:, 1], 0), r"fails on \(3, 5\): TypeError: where\(\) received"),
        (lambda: 0, r"fails on \(3, 5\): TypeError"),
    ],
)
def test_what_gives_no_number_for_each_image_is_refused(f, message):
    with pytest.raises(TargetError, match=message) as error:
        gradient(f)
    assert "\n" not in str(error.value)


def test_differences_over_too_many_numbers_are_refused():
    wide = function(lambda conv: conv.sum(axis=(1, 2, 3)), ["<input>"])
    with pytest.raises(TargetError, match=r"reads 12288 numbers an image, .* over 4096 at most; write it with cross"):
        wide.cotangents({"<input>": np.zeros((1, 3, 64, 64))})


def test_a_class_is_no_function():
    with pytest.raises(TargetError, match="must be callable; this is a type"):
        function(int)
    assert str(channel("conv1", 1)) == "channel('conv1', 1)"


def test_a_list_holds_a_target_of_any_kind_for_each_image():
    several = gradient([lambda out: out[:, 3] - out[:, 1], 2, output(1)])
    expected = [gradient(target).values[n] for n, target in enumerate((output(3) - output(1), 2, output(1)))]
    np.testing.assert_allclose(several.values, expected, rtol=1e-5, atol=1e-7)


def test_a_function_that_is_added_to_an_objective_is_refused_with_what_makes_it_one():
    with pytest.raises(TargetError, match=r"crosslens\.objective\.function\(f\)"):
        output(1) + (lambda out: out[:, 0])


def test_on_torch_a_list_and_a_sum_mix_functions_with_objectives():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(180, 5))
    model = crosslens.wrap(net, input_shape=(3, 8, 8), preprocess=None)
    several = gradient([lambda out: out[:, 3] - out[:, 1], 2, None], model)
    expected = [gradient(target, model).values[n] for n, target in enumerate((output(3) - output(1), 2, None))]
    np.testing.assert_allclose(several.values, expected, rtol=1e-5, atol=1e-7)
    both = gradient(function(lambda out: out[:, 3]) + output(1), model)
    np.testing.assert_allclose(both.values, gradient(output(3) + output(1), model).values, rtol=1e-5, atol=1e-7)


def test_each_images_own_target_takes_the_variants_of_that_image():
    run = crosslens.method("integrated_gradients", steps=4)
    several = run(TinyModel(), IMAGES, [lambda out: out[:, 3], 2, output(1)])
    expected = [run(TinyModel(), IMAGES, target).values[n] for n, target in enumerate((output(3), 2, output(1)))]
    np.testing.assert_allclose(several.values, expected, rtol=1e-4, atol=1e-6)
