"""One step of `train_style` against the papers' formulas, written slowly in torch in float64."""

import numpy as np
import pytest
import torch
from crosslens import train_style
from crosslens.backends.torch.style.networks import build
from crosslens.backends.torch.style.trainer import TorchTrainable
from crosslens.style_network.spec import StyleSpec
from crosslens.style_training.loop import first_state, one_step
from crosslens.style_training.train_style import plan_of, settings_of
from crosslens.testing import TinyModel
from torch.nn.functional import conv2d, softplus

SMALL = {"width": 4, "blocks": 1}


def tiny_in_torch(model, x):
    """The four layers of `TinyModel` that have maps."""
    maps = {}
    for n, name in enumerate(("conv1", "conv2"), start=1):
        kernel, bias = (torch.tensor(model.weights(name)[key]).double() for key in ("kernel", "bias"))
        x = conv2d(x, kernel, bias, padding=1)
        maps[name] = x
        x = maps[f"act{n}"] = softplus(x)
    return maps


def gram(maps):
    flat = maps[0].reshape(maps.shape[1], -1)
    return torch.stack([torch.stack([(a * b).sum() for b in flat]) for a in flat])


def losses_by_hand(model, made, content, style, content_layer, style_layers, alpha, beta):
    """Equations 1, 4 and 5 of Gatys et al. (2016), for one picture."""
    a, p, s = (tiny_in_torch(model, x) for x in (made, content, style))
    content_loss = ((a[content_layer] - p[content_layer]) ** 2).sum() / 2
    style_loss = 0.0
    for name in style_layers:
        _, channels, height, width = a[name].shape
        apart = ((gram(a[name]) - gram(s[name])) ** 2).sum()
        style_loss = style_loss + apart / (4 * channels**2 * (height * width) ** 2) / len(style_layers)
    return alpha * content_loss, beta * style_loss


@pytest.mark.parametrize("norm", ["instance", "batch", "conditional"])
def test_a_step_is_the_papers_loss_and_adam(norm):
    rng = np.random.default_rng(0)
    photographs = rng.random((16, 3, 20, 20), dtype=np.float32)
    styles = list(rng.random((2 if norm == "conditional" else 1, 3, 16, 16), dtype=np.float32))
    how = settings_of({**SMALL, "norm": norm, "batch": 2, "tv_weight": 0.5, "content_weight": 2.0, "seed": 3})
    model = TinyModel(size=16)
    plan = plan_of(how, model, photographs, styles)
    network = TorchTrainable(plan.spec, how.seed)
    start = first_state(network)
    after = one_step(plan, network, how, start)

    batch = plan.batch(np.random.default_rng([how.seed, 0]))
    net = build(plan.spec).double().train()
    named = {
        name: torch.tensor(values).double()
        for name, values in network.weights(start.parameters, start.statistics).items()
    }
    net.load_state_dict(named, strict=False)
    images = torch.tensor(batch.inputs[0]).double()
    made = net(*(torch.tensor(each).double() for each in batch.inputs))
    chosen = batch.inputs[1].argmax(axis=1) if norm == "conditional" else [0, 0]
    contents, looks = zip(
        *(
            losses_by_hand(
                model, made[n : n + 1], images[n : n + 1], torch.tensor(styles[k])[None].double(),
                plan.content_layer, plan.style_layers, 2.0, plan.betas[k],
            )
            for n, k in enumerate(chosen)
        ),
        strict=True,
    )  # fmt: skip
    tv = plan.tv * (made.diff(dim=2).square().sum() + made.diff(dim=3).square().sum()) / 2
    expected = [sum(contents) / 2, sum(looks) / 2, tv]
    np.testing.assert_allclose(after.losses[0], [float(each.detach()) for each in expected], rtol=1e-4)

    (sum(expected) / plan.unit).backward()
    gradient = torch.cat([p.grad.reshape(-1) for p in net.parameters()]).numpy()
    np.testing.assert_allclose(after.first, 0.1 * gradient, rtol=1e-3, atol=1e-4 * np.abs(gradient).max())
    rate = how.rate / 20  # the first of twenty steps of warming up
    moved = start.parameters - rate * gradient / (np.abs(gradient) + 1e-8)
    large = np.abs(gradient) > 1e-3 * np.abs(gradient).max()
    np.testing.assert_allclose(after.parameters[large], moved[large], rtol=1e-4, atol=1e-3 * rate)


def test_a_pass_changes_no_state_of_the_network():
    network = TorchTrainable(StyleSpec(norm="batch", width=2, blocks=1), 0)
    x = np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32)
    first = network.forward(network.parameters, network.statistics, [x])
    again = network.forward(network.parameters, network.statistics, [x])
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.statistics, again.statistics)
    assert not np.array_equal(first.statistics, network.statistics)
    np.testing.assert_array_equal(
        network.apply(network.parameters, network.statistics, [x]),
        network.apply(network.parameters, network.statistics, [x]),
    )


def test_the_weights_are_those_of_the_module_that_is_built():
    network = TorchTrainable(StyleSpec(norm="batch", width=2, blocks=1), 0)
    weights = network.weights(network.parameters, network.statistics)
    net = build(network.spec).eval()
    net.load_state_dict({name: torch.tensor(each) for name, each in weights.items()}, strict=False)
    x = np.random.default_rng(0).random((1, 3, 9, 8), dtype=np.float32)
    with torch.no_grad():
        np.testing.assert_array_equal(
            net(torch.tensor(x)).numpy(), network.apply(network.parameters, network.statistics, [x])
        )


def test_torchs_generator_is_left_as_it_was():
    before = torch.get_rng_state()
    TorchTrainable(StyleSpec(width=2, blocks=1), 0)
    assert torch.equal(before, torch.get_rng_state())


def test_the_trainer_takes_numpy_alone():
    rng = np.random.default_rng(0)
    trained = train_style(
        TinyModel(size=16), rng.random((16, 3, 16, 16), dtype=np.float32), rng.random((3, 16, 16), dtype=np.float32),
        steps=1, **SMALL,
    )  # fmt: skip
    assert {type(each) for each in trained.weights.values()} == {np.ndarray}
