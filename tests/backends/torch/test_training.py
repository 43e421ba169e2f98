"""A model as a loss: held against the same loss written in torch, whatever backend the model is of."""

import gc
import os
import warnings

import crosslens
import numpy as np
import pytest
import torch
from crosslens.backends.torch import tensors
from crosslens.backends.torch.training import loss
from crosslens.errors import ImageError, ModelError, TargetError
from crosslens.objective import diversity, gram, gram_matrix, match
from torch import nn

SIZE = 12


def measuring():
    """A smooth network, so that gradients agree to rounding."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.SiLU(),
        nn.Conv2d(6, 8, 3, stride=2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(200, 5),
    ).eval()


def trained(dtype=torch.float32):
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 3, 3, padding=1), nn.Sigmoid()).to(
        dtype
    )


def pictures(count, seed=2):
    return torch.from_numpy(np.random.default_rng(seed).random((count, 3, SIZE, SIZE), np.float32))


NET = measuring()
CONTENT = NET[:4](pictures(3, seed=5)).detach()
STYLE = torch.from_numpy(gram_matrix(NET[:2](pictures(1, seed=6)).detach().numpy()))


def losses_in_torch(images, content=CONTENT, style=STYLE):
    """Gatys et al. 2016, equations 1 and 4, per image."""
    early = NET[:2](images)
    late = NET[2:4](early)
    flat = early.flatten(2)
    grams = flat @ flat.mT
    scale = 4 * flat.shape[1] ** 2 * flat.shape[2] ** 2
    return 0.5 * ((late - content) ** 2).sum((1, 2, 3)) + 100 * ((grams - style) ** 2).sum((1, 2)) / scale


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    path = tmp_path_factory.mktemp("loss") / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(NET, (pictures(2),), path, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}})
    torch_model, onnx_model = wrapped(NET), crosslens.wrap(path, preprocess=None)
    return {"torch": (torch_model, "1", "3"), "onnx": (onnx_model, *named(torch_model, onnx_model))}


def wrapped(net):
    return crosslens.wrap(net, preprocess=None, input_shape=(3, SIZE, SIZE))


def named(torch_model, onnx_model):
    """The layers of the file that hold what modules 1 and 3 give, found by their values."""
    x = pictures(2).numpy()
    wanted = torch_model.forward(x, ["1", "3"])
    found = onnx_model.forward(x, list(onnx_model.layers))
    return [
        next(n for n, a in found.items() if a.shape == wanted[m].shape and np.allclose(a, wanted[m], atol=1e-5))
        for m in ("1", "3")
    ]


@pytest.fixture(params=["torch", "onnx"])
def measured(request, models):
    return models[request.param]


def objective(measured, content=CONTENT, style=STYLE):
    _, early, late = measured
    return match(late, content.numpy()) + 100.0 * gram(early, style.numpy())


def weight_gradients(net, losses, weights):
    net.zero_grad()
    (losses * weights).sum().backward()
    return torch.cat([p.grad.flatten() for p in net.parameters()])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weight_gradients_are_those_of_the_loss_written_in_torch(measured, dtype):
    net, weights = trained(dtype), torch.tensor([1.0, -2.0, 0.5], dtype=dtype)
    images = net(pictures(3).to(dtype))
    got = loss(measured[0], objective(measured))(images)
    assert got.dtype == dtype
    assert got.shape == (3,)
    mine = weight_gradients(net, got, weights)
    expected = losses_in_torch(net(pictures(3).to(dtype)).float()).to(dtype)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    theirs = weight_gradients(net, expected, weights)
    assert (mine - theirs).norm() / theirs.norm() < 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_images_are_converted_and_their_gradient_back(measured, dtype):
    images = pictures(3).to(dtype).requires_grad_()
    got = loss(measured[0], objective(measured))(images)
    got.sum().backward()
    exact = images.detach().float().requires_grad_()
    expected = losses_in_torch(exact)
    expected.sum().backward()
    assert (got.dtype, images.grad.dtype) == (torch.float32, dtype)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(images.grad, exact.grad.to(dtype), rtol=1e-2, atol=1e-4)


def test_autocast_around_the_training_changes_nothing_inside_the_loss(measured):
    images = pictures(3).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        got = loss(measured[0], objective(measured))(images)
    torch.testing.assert_close(got, losses_in_torch(images), rtol=1e-5, atol=1e-6)


def test_layout_and_batch_size_are_free(measured):
    for count in (1, 2, 5):
        images = pictures(count).transpose(2, 3).requires_grad_()
        content = NET[:4](pictures(count, seed=7)).detach()
        loss(measured[0], objective(measured, content))(images).mean().backward()
        (expected,) = torch.autograd.grad(losses_in_torch(images, content).mean(), images)
        torch.testing.assert_close(images.grad, expected, rtol=1e-4, atol=1e-7)


def test_two_losses_before_one_backward_do_not_overwrite_each_other(measured):
    """Backends reuse memory from call to call."""
    of = loss(measured[0], objective(measured))
    first, second = pictures(3).requires_grad_(), pictures(3, seed=8).requires_grad_()
    total = of(first).sum() + of(second).sum()
    total.backward()
    for images in (first, second):
        (expected,) = torch.autograd.grad(losses_in_torch(images).sum(), images)
        torch.testing.assert_close(images.grad, expected, rtol=1e-4, atol=1e-7)


def test_a_gradient_is_computed_only_where_one_is_asked_for(measured, monkeypatch):
    of, images = loss(measured[0], objective(measured)), pictures(3)
    monkeypatch.setattr("crosslens.objective.loss.pullback", lambda *_: pytest.fail("a backward pass"))
    assert not of(images).requires_grad
    with torch.no_grad():
        torch.testing.assert_close(of(images.requires_grad_()), losses_in_torch(images), rtol=1e-5, atol=1e-6)
    with torch.inference_mode():
        of(pictures(3))


def test_a_second_derivative_is_refused_in_one_line(measured):
    images = pictures(3).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(measured[0], objective(measured))(images).sum(), images, create_graph=True)
    with pytest.raises(ModelError, match="a crosslens loss has no second derivative: leave"):
        (gradient**2).sum().backward()


def test_images_outside_the_bounds_are_taken_as_they_are_with_a_warning(measured):
    of = loss(measured[0], objective(measured))
    images = (3 * pictures(3) - 1).requires_grad_()
    with pytest.warns(UserWarning, match=r"outside the model's bounds \[0, 1\]; they are taken as they are: clamp"):
        losses = of(images)
    losses.sum().backward()
    (expected,) = torch.autograd.grad(losses_in_torch(images).sum(), images)
    torch.testing.assert_close(images.grad, expected, rtol=1e-4, atol=1e-7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of(pictures(3))


def test_images_far_outside_are_refused_in_one_line(measured):
    of = loss(measured[0], objective(measured))
    with pytest.raises(ImageError, match=r"reach from .* to 25\d.*, far outside the model's bounds \[0, 1\]: scale"):
        of(255 * pictures(3))
    with pytest.raises(ImageError, match=r"are torch\.uint8; give a torch tensor \(N, C, H, W\) of a floating type"):
        of((255 * pictures(3)).byte())
    with pytest.raises(ImageError, match="are a ndarray; give a torch tensor"):
        of(pictures(3).numpy())


def test_what_is_not_finite_is_handed_on_for_its_image_alone(measured):
    images = pictures(3)
    images[1, 0, 2, 2] = torch.nan
    images.requires_grad_()
    losses = loss(measured[0], objective(measured))(images)
    losses.sum().backward()
    assert losses.isnan().tolist() == [False, True, False]
    assert images.grad[1].isnan().all()
    assert images.grad[[0, 2]].isfinite().all()
    far = CONTENT.clone()
    far[2] = torch.inf
    assert loss(measured[0], objective(measured, far))(pictures(3)).isinf().tolist() == [False, False, True]
    assert loss(measured[0], diversity(measured[1]))(images).isnan().all()


def test_losses_that_compare_images_have_a_gradient_together_only(measured):
    model, early, _ = measured
    of, images = loss(model, diversity(early)), (0.1 + 0.8 * pictures(3)).requires_grad_()
    of(images).mean().backward(retain_graph=True)
    direction = torch.randn(images.shape, generator=torch.Generator().manual_seed(0)).clamp(-3, 3) / 100
    with torch.no_grad():
        slope = (of(images + direction).double().mean() - of(images - direction).double().mean()) / 2
    assert float((images.grad * direction).sum()) == pytest.approx(float(slope), rel=2e-2)
    with pytest.raises(TargetError, match=r"compares the images of a batch with each other.*: take their sum or mean"):
        (of(images) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()


def test_what_is_no_model_or_no_objective_is_refused():
    with pytest.raises(ModelError, match=r"loss takes a model: model = crosslens\.wrap\(network\)"):
        loss(NET, match("1", CONTENT.numpy()))
    with pytest.raises(TargetError, match=r"the objective of a loss is a function; build it with crosslens\.objective"):
        loss(wrapped(NET), lambda x: x)


def test_three_steps_of_training_are_those_with_the_loss_written_in_torch(measured):
    def weights_after(compute):
        net = trained()
        optimiser = torch.optim.Adam(net.parameters(), 1e-2)
        for step in range(3):
            optimiser.zero_grad()
            compute(net(pictures(3, seed=step))).mean().backward()
            optimiser.step()
        return torch.cat([p.detach().flatten() for p in net.parameters()])

    mine, theirs = weights_after(loss(measured[0], objective(measured))), weights_after(losses_in_torch)
    assert (mine - theirs).norm() / theirs.norm() < 1e-5


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch.compile's own, where a graph ends
def test_a_compiled_step_calls_the_loss_as_it_is(measured):
    net, of, images = trained(), loss(measured[0], objective(measured)), pictures(3)
    step = torch.compile(lambda x: of(net(x)).mean(), backend="eager")
    of(net(images)).mean().backward()
    expected = [p.grad for p in net.parameters()]
    net.zero_grad()
    step(images).backward()
    torch.testing.assert_close([p.grad for p in net.parameters()], expected)


def test_on_a_device_images_and_gradients_stay_there(models, monkeypatch):
    """Shown with the CPU as the device: no tensor of more than one number leaves it."""
    monkeypatch.setattr(tensors, "stays_on_gpu", lambda x: isinstance(x, torch.Tensor))
    for name in ("cpu", "numpy", "tolist", "__array__", "__dlpack__"):
        own = getattr(torch.Tensor, name)
        refuse = lambda self, *given, own=own: own(self, *given) if self.numel() == 1 else pytest.fail("left")  # noqa: E731
        monkeypatch.setattr(torch.Tensor, name, refuse)
    images = pictures(3).requires_grad_()
    with torch.no_grad():
        content = NET[:4](pictures(3, seed=5))
    of = loss(models["torch"][0], match("3", content) + 100.0 * gram("1", STYLE))
    of(images).sum().backward()
    (expected,) = torch.autograd.grad(losses_in_torch(images).sum(), images)
    torch.testing.assert_close(images.grad, expected, rtol=1e-4, atol=1e-7)


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_memory_does_not_grow_from_step_to_step(measured):
    """A new objective for each of 200 batches, as with content targets."""
    net = trained()
    optimiser = torch.optim.SGD(net.parameters(), 1e-3)

    def steps(count):
        for step in range(count):
            optimiser.zero_grad()
            of = loss(measured[0], objective(measured, NET[:4](pictures(3, seed=step)).detach()))
            of(net(pictures(3, seed=step))).mean().backward()
            optimiser.step()
        gc.collect()
        return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects()), resident()

    steps(20)
    tensors, memory = steps(20)
    after, later = steps(200)
    assert after <= tensors + 5
    assert later - memory < 8 << 20
