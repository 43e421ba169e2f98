"""A network's code as coordinates: its gradient, its bound, and what it refuses."""

import numpy as np
import pytest
from crosslens import InputSpec, method, wrap
from crosslens.errors import ModelError, ParameterError
from crosslens.synthesis.generator.generator_prior import generator
from crosslens.testing import TinyModel

torch = pytest.importorskip("torch")
MODEL = TinyModel(size=16)


def decoder(last=None, channels=3):
    torch.manual_seed(0)
    linear = torch.nn.Linear(5, channels * 8 * 8)
    layers = [linear, torch.nn.Unflatten(1, (channels, 8, 8)), last or torch.nn.Tanh()]
    return wrap(torch.nn.Sequential(*layers).eval(), preprocess=None, input_shape=InputSpec.latent((5,)))


@pytest.mark.parametrize("last", [torch.nn.Tanh(), torch.nn.Sigmoid()])
def test_a_codes_picture_is_the_networks_in_0_to_1_at_the_size_asked_for(last):
    made = decoder(last)
    pixels = generator(made, 3.0, (16, 12), 3)
    code = pixels.noise(2, np.random.default_rng(0))
    assert code.shape == (2, 5)
    out = made.net(torch.from_numpy(code)) if hasattr(made, "net") else torch.from_numpy(made.forward(code)["<output>"])
    unit = (out + 1) / 2 if isinstance(last, torch.nn.Tanh) else out
    expected = torch.nn.functional.interpolate(unit.detach(), (16, 12), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(pixels.image.apply(code), expected.numpy(), atol=1e-5)


def test_the_gradient_at_the_code_is_the_derivative():
    pixels = generator(decoder(), 3.0, (16, 16), 3)
    rng = np.random.default_rng(0)
    code, dy = rng.normal(size=(2, 5)).astype(np.float32), rng.normal(size=(2, 3, 16, 16)).astype(np.float32)
    _, back = pixels.image.linearize(code)
    for _ in range(3):
        way = rng.normal(size=code.shape).astype(np.float32)
        slope = (dy * (pixels.image.apply(code + 1e-2 * way) - pixels.image.apply(code - 1e-2 * way))).sum() / 2e-2
        np.testing.assert_allclose((back(dy) * way).sum(), slope, rtol=2e-2)


def maximise(**settings):
    chosen = {"generator": decoder(), "steps": 60, "learning_rate": 0.3, **settings}
    return method("activation_maximisation", **chosen)(MODEL, None, 1)


def test_the_objective_rises_over_codes_that_keep_their_bound():
    result = maximise(code_bound=1.5, every=60)
    assert result.images.shape == (1, 3, 16, 16)
    assert result.history[-1, 0] > result.history[0, 0] + 0.02
    code = result.state["0_parameters"]
    assert code.shape == (1, 5)
    assert np.abs(code).max() == 1.5
    assert np.abs(maximise(code_bound=0.1).state["0_parameters"]).max() == pytest.approx(0.1)


def test_a_run_over_codes_goes_on_and_knows_its_generator(tmp_path):
    path = maximise(steps=3).save(tmp_path / "run.npz")
    np.testing.assert_array_equal(maximise(steps=6, resume=path).images, maximise(steps=6).images)
    with pytest.raises(ParameterError, match="another run: it had generator"):
        maximise(steps=6, resume=path, generator=decoder(torch.nn.Sigmoid()))


def test_what_makes_no_pictures_of_codes_is_refused():
    with pytest.raises(ModelError, match=r"a generator takes codes; this one takes pictures \(3, 16, 16\)"):
        generator(MODEL, 3.0, (16, 16), 3)
    with pytest.raises(ModelError, match=r"makes pictures \(N, 3, h, w\); this one gives \(1, 8, 8\) for a code"):
        generator(decoder(channels=1), 3.0, (16, 16), 3)
    with pytest.raises(ModelError, match=r"pictures lie in \[0, 1\] or \[-1, 1\]; these reach from"):
        generator(decoder(torch.nn.Hardtanh(-4, 4)), 3.0, (16, 16), 3)
    with pytest.raises(ParameterError, match="code_bound is 0; it must be more than 0"):
        generator(decoder(), 0, (16, 16), 3)
    with pytest.raises(
        ParameterError, match="pictures start from random codes, not from images: leave one of them out"
    ):
        method("activation_maximisation", generator=decoder())(MODEL, np.full((1, 3, 16, 16), 0.5, np.float32), 1)
