"""benchmarks.exported: a torch network's copy in Keras gives the same logits, dense layers behind maps included."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("keras")


def test_dense_layers_behind_maps_meet_the_channels_in_kerass_order():
    from benchmarks.exported import in_keras

    torch.manual_seed(0)
    net = torch.nn.Sequential()
    layers = [
        torch.nn.Conv2d(2, 5, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(5 * 4 * 6, 7), torch.nn.Linear(7, 3),
    ]  # fmt: skip
    for place, layer in enumerate(layers):
        net.add_module(f"layer{place}", layer)
    x = np.random.default_rng(0).random((3, 2, 4, 6), dtype=np.float32)
    ours = in_keras(net, (2, 4, 6)).predict(x.transpose(0, 2, 3, 1), verbose=0)
    np.testing.assert_allclose(ours, net(torch.from_numpy(x)).detach().numpy(), atol=1e-5)


def test_a_generators_layers_turn_a_code_into_the_same_picture():
    from benchmarks.exported import in_keras

    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(5, 3 * 2 * 4), torch.nn.Unflatten(1, (3, 2, 4)), torch.nn.ConvTranspose2d(3, 2, 4, 2, 1),
        torch.nn.Tanh(), torch.nn.Upsample(scale_factor=2), torch.nn.Conv2d(2, 2, 4, 2, 1),
        torch.nn.ConvTranspose2d(2, 1, 4, 2, 1), torch.nn.Sigmoid(),
    )  # fmt: skip
    z = np.random.default_rng(0).standard_normal((3, 5), dtype=np.float32)
    ours = in_keras(net, (5,)).predict(z, verbose=0).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(ours, net(torch.from_numpy(z)).detach().numpy(), atol=1e-6)


def test_a_layer_that_keras_copies_would_lose_is_refused():
    from benchmarks.exported import in_keras

    with pytest.raises(TypeError, match="no layer of Keras is known here for Softsign"):
        in_keras(torch.nn.Sequential(torch.nn.Softsign()), (5,))


def test_files_whose_outputs_differ_are_refused(tmp_path):
    from benchmarks.exported import assert_alike

    paths = [tmp_path / name for name in ("first.pt2", "second.pt2", "third.pt2")]
    for path, scale in zip(paths, (1.0, 1.0 + 5e-6, 1.001), strict=True):
        net = torch.nn.Linear(4, 2, bias=False)
        torch.nn.init.constant_(net.weight, scale)
        torch.export.save(torch.export.export(net, (torch.zeros(2, 4),)), path)
    assert_alike(paths[:2])
    with pytest.raises(AssertionError, match="differ by"):
        assert_alike(paths[1:])
