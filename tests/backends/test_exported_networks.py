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
