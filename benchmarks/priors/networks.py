"""Small networks that make, clean and judge grey pictures of 28 x 28 pixels, as rows of layers that have names."""

from torch import nn

__all__ = ["SHAPE", "TAKES", "denoiser", "judge", "picture_maker", "variational_encoder"]

SHAPE = (1, 28, 28)
CODE = 16
"""Numbers in a code of the generator."""
HIDDEN = 256
"""Units of the dense layers."""
FEATURES = 64
"""Units of the classifier's `relu4`, the layer that the decoder makes pictures of."""
TAKES: dict[str, tuple[int, ...]] = {
    "classifier": SHAPE, "judge": SHAPE, "denoiser": SHAPE, "generator": (CODE,), "decoder": (FEATURES,),
}  # fmt: skip
"""The shape of one input of each network that is written."""


def picture_maker(numbers: int) -> nn.Sequential:
    """A vector (N, numbers) to pictures (N, 1, 28, 28) in [0, 1]: two dense layers and a transposed convolution."""
    return _named(fc1=nn.Linear(numbers, HIDDEN), relu1=nn.ReLU(), **_picture_of_hidden_units())


def variational_encoder() -> nn.Sequential:
    """Pictures to the means and log variances of their codes, (N, 2 * CODE); only the training needs it."""
    return _named(
        flatten=nn.Flatten(), fc1=nn.Linear(28 * 28, HIDDEN), relu1=nn.ReLU(), fc2=nn.Linear(HIDDEN, 2 * CODE)
    )


def denoiser() -> nn.Sequential:
    """Noisy pictures (N, 1, 28, 28) to clean ones in [0, 1], by way of `HIDDEN` units that see the whole picture."""
    return _named(
        conv1=nn.Conv2d(1, 16, 4, 2, 1), relu0=nn.ReLU(), flatten=nn.Flatten(), fc1=nn.Linear(16 * 14 * 14, HIDDEN),
        relu1=nn.ReLU(), **_picture_of_hidden_units(),
    )  # fmt: skip


def _picture_of_hidden_units() -> dict[str, nn.Module]:
    return {
        "fc2": nn.Linear(HIDDEN, 8 * 14 * 14), "relu2": nn.ReLU(), "maps": nn.Unflatten(1, (8, 14, 14)),
        "up": nn.ConvTranspose2d(8, 1, 4, 2, 1), "sigmoid": nn.Sigmoid(),
    }  # fmt: skip


def judge() -> nn.Sequential:
    """A classifier of another make than `benchmarks.digits`: strides for pooling, and dense layers that see places."""
    return _named(
        conv1=nn.Conv2d(1, 24, 4, 2, 1), relu1=nn.ReLU(), conv2=nn.Conv2d(24, 48, 4, 2, 1), relu2=nn.ReLU(),
        flatten=nn.Flatten(), fc1=nn.Linear(48 * 7 * 7, 128), features=nn.ReLU(), fc2=nn.Linear(128, 10),
    )  # fmt: skip


def _named(**layers: nn.Module) -> nn.Sequential:
    net = nn.Sequential()
    for name, layer in layers.items():
        net.add_module(name, layer)
    return net
