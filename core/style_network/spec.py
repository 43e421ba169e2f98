"""A style network as plain data: which of the published networks it is, how wide, for how many styles.

Image transformation networks of Johnson et al. (2016, "Perceptual Losses for Real-Time Style Transfer and
Super-Resolution", https://arxiv.org/abs/1603.08155, supplement), with instance normalisation (Ulyanov et al., 2017,
https://arxiv.org/abs/1701.02096) or conditional instance normalisation (Dumoulin et al., 2017,
https://arxiv.org/abs/1610.07629), and decoders of features (Huang and Belongie, 2017, "Arbitrary Style Transfer in
Real-time with Adaptive Instance Normalization", https://arxiv.org/abs/1703.06868).
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import ParameterError, unknown_name

__all__ = ["EPSILON", "KINDS", "NORMS", "StyleSpec"]

KINDS = ("feed_forward", "decoder")
NORMS = ("instance", "batch", "conditional", "none")
EPSILON = 1e-5
"""Added to the variance by each normalisation, on each backend: PyTorch's default; Keras' is 1e-3."""


@dataclass(frozen=True)
class StyleSpec:
    """A style network as plain data, checked.

    feed_forward: image (N, 3, H, W) in [0, 1] -> image (N, 3, H, W) in [0, 1], H and W at least 5. With the norm
    "conditional" there is a second input, `style_weights`, (styles,) or (N, styles), whose numbers sum to 1.
    decoder: features (N, C, h, w) of a layer of an encoder, h and w at least 2 -> image (N, 3, h stride, w stride).

    Raises:
        ParameterError: a value that the network cannot have.
    """

    kind: str = "feed_forward"
    norm: str = "instance"
    """Of a decoder "none"."""
    styles: int = 1
    """More than one with the norm "conditional" only."""
    width: int = 32
    """Channels at the full size, of which all others are multiples: 32 in Johnson et al., 64 in VGG."""
    blocks: int = 5
    """Residual blocks; of a decoder, convolutions at each size smaller than half of the picture: VGG16 has 3."""
    code: tuple[int, int] | None = None
    """(C, stride) of a decoder's features: a position of theirs stands for stride x stride pixels."""
    encoder: str | None = None
    """Name or file of the model whose features a decoder takes, for the record."""
    layer: str | None = None
    """The layer of these features, for the record."""

    def __post_init__(self) -> None:
        _one_of("kind", self.kind, KINDS)
        _one_of("norm", self.norm, NORMS)
        for name, least in (("styles", 1), ("width", 1), ("blocks", 0)):
            _at_least(name, getattr(self, name), least)
        for name in ("encoder", "layer"):
            if not isinstance(getattr(self, name), str | None):
                raise ParameterError(f"{name} of a style network is {getattr(self, name)!r}; it must be a text or None")
        if self.styles > 1 and self.norm != "conditional":
            raise ParameterError(f'{self.styles} styles in one network need norm="conditional"; norm is {self.norm!r}')
        if self.is_decoder:
            self._check_decoder()
        elif self.code is not None or self.encoder is not None or self.layer is not None:
            raise ParameterError('code, encoder and layer belong to kind="decoder"; kind is "feed_forward"')

    def _check_decoder(self) -> None:
        if self.norm != "none":
            raise ParameterError(f'a decoder has no normalisation: norm must be "none", and is {self.norm!r}')
        code = self.code
        if not isinstance(code, tuple) or len(code) != 2 or not all(_is_whole(n) and n > 0 for n in code):
            raise ParameterError(f"code of a decoder is {code!r}; it must be (channels, stride), (512, 8) for example")
        if code[1] & (code[1] - 1):
            raise ParameterError(f"the stride of a decoder's code is {code[1]}; it must be a power of two")

    @property
    def is_decoder(self) -> bool:
        """Whether it takes features, and not an image."""
        return self.kind == "decoder"

    @property
    def input_name(self) -> str:
        """The name of the input in files: "image", or "features" of a decoder."""
        return "features" if self.is_decoder else "image"

    @property
    def has_style_weights(self) -> bool:
        """Whether there is a second input, `style_weights`."""
        return self.norm == "conditional"

    def as_json(self) -> dict[str, Any]:
        """As values that JSON has, which `from_json` reads; without what is None."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, content: Any) -> "StyleSpec":
        """The network that parsed JSON describes.

        Raises:
            ParameterError: it describes none.
        """
        if not isinstance(content, Mapping):
            raise ParameterError(f"a style network is described by an object of its values, not by {content!r}")
        known = [each.name for each in fields(cls)]
        for name in content:
            if name not in known:
                raise ParameterError(unknown_name("value", name, known, of="a style network"))
        read: Mapping[str, Callable[[Any], Any]] = {
            "code": lambda code: tuple(code) if isinstance(code, list) else code
        }
        return cls(**{name: read.get(name, lambda value: value)(value) for name, value in content.items()})


def _one_of(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ParameterError(f"{name} of a style network is {value!r}; it can be {', '.join(map(repr, choices))}")


def _at_least(name: str, value: Any, least: int) -> None:
    if not _is_whole(value) or value < least:
        raise ParameterError(f"{name} of a style network is {value!r}; it must be a whole number, at least {least}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
