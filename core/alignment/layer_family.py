"""What frameworks' words for a kind of layer have in common: Conv2d, DepthwiseConv2D and Conv are convolutions."""

__all__ = ["layer_family"]

_FAMILIES = {
    "conv": "convolution",
    "norm": "normalisation",
    "relu": "rectifier",
    "clip": "rectifier",
    "hardtanh": "rectifier",
    "softmax": "softmax",
    "sigmoid": "sigmoid",
    "pool": "pooling",
    "mean": "pooling",
    "dense": "dense",
    "linear": "dense",
    "gemm": "dense",
    "matmul": "dense",
    "concat": "join",
    "flatten": "reshape",
    "reshape": "reshape",
    "resize": "resize",
    "upsampl": "resize",
    "add": "sum",
    "sum": "sum",
    "mul": "product",
}
"""By a part of the kind's name; the first that fits counts."""


def layer_family(kind: str) -> str:
    """The family of a kind of layer; empty if it belongs to none.

    >>> layer_family("DepthwiseConv2D"), layer_family("Activation"), layer_family("cat")
    ('convolution', '', 'join')
    """
    if kind == "cat":
        return "join"
    return next((name for part, name in _FAMILIES.items() if part in kind.lower()), "")
