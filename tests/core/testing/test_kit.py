"""The kit on TinyModel, and on models and methods broken on purpose: each break turns the promise that names it red."""

import subprocess
import sys
from dataclasses import dataclass
from textwrap import dedent

import crosslens
import numpy as np
import pytest
from crosslens import testing
from crosslens.model.preprocessing import Preprocess

FOLLOWS = {"conv2": "act1", "act1": "conv1", "act2": "conv2", "fc": "pool"}
BGR = Preprocess(scale=2.0, mean=(0.5, 0.4, 0.3), std=(0.5, 0.6, 0.7), order="BGR")


@testing.parametrize(
    testing.Net("smooth", testing.TinyModel, follows=FOLLOWS),
    testing.Net("relu", lambda: testing.TinyModel(relu=True), follows=FOLLOWS, smooth=False),
    testing.Net("bgr", lambda: testing.TinyModel(preprocess=BGR), follows=FOLLOWS),
)
def test_tiny_model_keeps_every_promise(check):
    check()


@testing.parametrize("gradient", "grad_cam")
def test_built_in_method_keeps_every_promise(check):
    check()


class Scaled(testing.TinyModel):
    """Its gradients are twice what they should be."""

    def _linearize(self, x, capture, wrt, replace):
        inner = super()._linearize(x, capture, wrt, replace)
        products = inner.vjp
        inner.vjp = lambda cotangents: {name: 2 * g for name, g in products(cotangents).items()}
        return inner


class Impatient(testing.TinyModel):
    """It forgets the replacement in the forward pass."""

    def _forward(self, x, capture, replace):
        return super()._forward(x, capture, {})


class Statistical(testing.TinyModel):
    """Its values depend on the rest of the batch, as batch normalisation in train mode does."""

    def _run(self, x, replace):
        return super()._run(x - x.mean() + 0.5, replace)


class Leaky(testing.TinyModel):
    """A replaced layer still lets gradients through."""

    def _linearize(self, x, capture, wrt, replace):
        inner = super()._linearize(x, capture, wrt, replace)
        inner._replace = {}
        return inner


class Transposed(testing.TinyModel):
    """Its kernels come (in, out, kh, kw)."""

    def weights(self, layer):
        return {k: v.swapaxes(0, 1) if k == "kernel" else v for k, v in super().weights(layer).items()}


class Shared(testing.TinyModel):
    """Randomising writes into the original."""

    def _with_weights(self, changed):
        for name, values in changed.items():
            self._parameters[name].update(values)
        return self


class Reused(testing.TinyModel):
    """Every pass writes its output into the same buffer."""

    def _forward(self, x, capture, replace):
        found = dict(super()._forward(x, capture, replace))
        buffer = self.__dict__.setdefault("buffer", np.zeros((1000, 5), np.float32))
        for name in {crosslens.OUTPUT} & set(found):
            buffer[: len(x)] = found[name]
            found[name] = buffer[: len(x)]
        return found


class Stateful(testing.TinyModel):
    """Wrapping changes the network: here, its weights on the first pass."""

    def _run(self, x, replace):
        self.passes = getattr(self, "passes", 0) + 1
        return super()._run(x, replace)


def broken_promises(model, **net):
    """The names of the promises that a class of model breaks."""
    broken = set()
    for check in testing.checks(testing.Net("broken", model, follows=FOLLOWS, **net)):
        try:
            check()
        except (AssertionError, ValueError):
            broken.add(check.name)
        except testing.Unsuited:
            pass
    return broken


@pytest.mark.parametrize(
    ("model", "promises"),
    [
        (Scaled, {"gradient_is_the_slope", "inner_gradient_is_the_slope", "cotangent_at_the_layer_counts"}),
        (Impatient, {"inner_gradient_is_the_slope", "replaced_layer_gives_the_replacement"}),
        (Statistical, {"batch_of_n_is_n_singles"}),
        (Leaky, {"nothing_flows_through_a_replaced_cut"}),
        (Transposed, {"kernels_are_out_by_in"}),
        (Shared, {"randomised_leaves_the_original"}),
        (Reused, {"results_outlive_the_next_pass"}),
    ],
)
def test_a_broken_model_breaks_these_promises(model, promises):
    assert promises <= broken_promises(model)


def test_a_network_that_wrapping_changes_is_noticed():
    passes = lambda network: getattr(network, "passes", 0)  # noqa: E731
    assert {"network_untouched", "network_untouched_after_an_error"} <= broken_promises(Stateful, state=passes)


def test_a_rule_that_forgets_the_mask_is_noticed():
    class Maskless(testing.TinyModel):
        def _linearize(self, x, capture, wrt, replace):
            inner = super()._linearize(x, capture, wrt, replace)
            inner._rectify = lambda name, dy: dy
            return inner

    assert "modified_rules_follow_their_papers" in broken_promises(lambda: Maskless(relu=True), smooth=False)


@dataclass(frozen=True, kw_only=True)
class Sloppy(crosslens.Method):
    """Writes into the images, draws from the global generator, and normalises over the batch."""

    name = "sloppy"
    layer: str = crosslens.param("conv1")

    def run(self, model, images, objective, progress):
        images *= 0.5
        noise = np.random.normal(size=images.shape)
        return crosslens.Attribution(np.asarray(images + noise) / np.max(images))


def test_a_sloppy_method_breaks_these_promises():
    broken = set()
    for check in testing.checks(Sloppy):
        try:
            check()
        except (AssertionError, ValueError, TypeError):  # NumPy's and array_api_strict's own refusals
            broken.add(check.name)
        except testing.Unsuited:
            pass
    assert broken >= {
        "array_namespace_does_not_matter",
        "same_call_same_values",
        "global_generators_stand_still",
        "images_are_not_written_to",
        "batch_is_its_images_one_by_one",
        "parameters_are_documented",
        "one_name_everywhere",
    }


def test_the_failure_quotes_the_promise():
    check = next(c for c in testing.checks(testing.Net("mine", Scaled)) if c.name == "gradient_is_the_slope")
    with pytest.raises(AssertionError, match=r"slope .*, gradient says") as caught:
        check()
    assert caught.value.__notes__ == [f"mine breaks the promise 'gradient_is_the_slope': {check.claim}"]
    assert check.claim.startswith("The gradient at `INPUT` is the slope of <cotangent, output> by central differences")


def test_an_expected_failure_must_be_a_promise():
    with pytest.raises(
        crosslens.CrosslensError,
        match=r"no promise is called 'bad_images_refused'\. Did you mean 'bad_images_are_refused'",
    ):
        testing.parametrize("gradient", broken={"bad_images_refused": "they pass"})


def test_expected_failures_are_strict(pytester_free_run):
    outcome = pytester_free_run("""
        from crosslens import testing

        class Scaled(testing.TinyModel):
            def _forward(self, x, capture, replace):
                return {name: 2 * a for name, a in super()._forward(x, capture, replace).items()}

        @testing.parametrize(testing.Net("scaled", Scaled), broken={
            "gradient_is_the_slope": "twice too large", "layers_in_order": "holds by now"})
        def test_scaled(check):
            check()
    """)
    assert "XFAIL test_it.py::test_scaled[scaled-gradient_is_the_slope] - twice too large" in outcome
    assert "FAILED test_it.py::test_scaled[scaled-layers_in_order]" in outcome
    assert "[XPASS(strict)] holds by now" in outcome


@pytest.fixture
def pytester_free_run(tmp_path):
    """Run a test file in a process of its own, as an outsider does; returns what pytest prints."""

    def run(text):
        (tmp_path / "test_it.py").write_text(dedent(text))
        command = [sys.executable, "-m", "pytest", "-rxf", "-q", "-p", "no:cacheprovider", "test_it.py"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout

    return run


def test_without_pytest_the_kit_runs_too():
    code = """
import sys
from crosslens import testing
done = 0
for check in testing.checks("gradient"):
    try:
        check()
        done += 1
    except testing.Unsuited as reason:
        assert str(reason)
assert done > 10
assert "pytest" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_kit_lists_what_it_promises():
    found = testing.promises_about(testing.Net)
    assert len(found) > 30
    assert all(promise.__doc__ for promise in found.values())
