"""Faults of a network written again in Keras with torch's weights; rows of the table of `benchmarks.planted_faults`."""

from collections.abc import Iterator

import crosslens
import numpy as np
import torch
from crosslens.alignment.divergence import diverge
from torch import nn

__all__ = ["rows"]

SHAPE = (3, 32, 32)


class Small(nn.Module):
    """Convolutions, one of stride 2, a pooling, and a dense layer that reads the maps' every position."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 6, 3, stride=2, padding=1)
        self.pool, self.fc1, self.fc2 = nn.MaxPool2d(4), nn.Linear(96, 20), nn.Linear(20, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.conv2(torch.relu(self.conv1(x)))))
        return self.fc2(torch.relu(self.fc1(torch.flatten(x, 1))))  # type: ignore[no-any-return]


def ported(net: Small, *, permute: bool = True, same: bool = False):  # type: ignore[no-untyped-def]
    """The network in Keras: right, without its Permute before Flatten, or with padding="same" at stride 2."""
    import keras
    from keras import layers

    x = image = keras.Input((*SHAPE[1:], SHAPE[0]))
    x = layers.ReLU()(layers.Conv2D(8, 3, padding="same", name="conv1")(x))
    x = x if same else layers.ZeroPadding2D(1)(x)
    x = layers.ReLU()(layers.Conv2D(6, 3, strides=2, padding="same" if same else "valid", name="conv2")(x))
    x = layers.MaxPooling2D(4)(x)
    x = layers.Flatten()(layers.Permute((3, 1, 2))(x) if permute else x)
    x = layers.Dense(5, name="fc2")(layers.ReLU()(layers.Dense(20, name="fc1")(x)))
    model = keras.Model(image, x)
    for name in ("conv1", "conv2", "fc1", "fc2"):
        weight, bias = (p.detach().numpy() for p in net.get_submodule(name).parameters())
        model.get_layer(name).set_weights([weight.T if weight.ndim == 2 else weight.transpose(2, 3, 1, 0), bias])
    return model


def rows() -> Iterator[str]:
    """One row a fault."""
    torch.manual_seed(0)
    net = Small().eval()
    x = np.random.default_rng(0).random((2, *SHAPE), np.float32)
    right = crosslens.wrap(net, preprocess=None, input_shape=SHAPE)
    planted = {
        "no Permute before Dense (Keras port)": ("fc1", "flatten", {"permute": False}),
        "padding='same' at stride 2 (Keras port)": ("conv2", "padding", {"same": True}),
    }
    for name, (layer, kind, fault) in planted.items():
        said = diverge(right, crosslens.wrap(ported(net, **fault), preprocess=None), x)
        first, cause = said.first, said.cause
        is_right = cause is not None and (cause.layer, cause.kind) == (layer, kind)
        yield (
            f"| {name} | `{layer}` | `{first.a if first else '-'}` | {first.own if first else 0:.0e} "
            f"| `{cause.layer if cause else '-'}`, {'yes' if is_right else 'NO'} | {cause.kind if cause else '-'} |"
        )


if __name__ == "__main__":
    print("\n".join(rows()))
