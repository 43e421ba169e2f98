"""The runs of a style transfer: what each minimises, where it starts, and the picture that comes of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.errors import ParameterError
from crosslens.model import Model
from crosslens.objective import Objective, match
from crosslens.operators import Size
from crosslens.optimise import Evaluate, Run
from crosslens.parameterise import Parameterisation

from .coordinates import coordinates, noise, suited
from .style_loss import descent, style_loss
from .style_picture import covering, in_grey, matched, recoloured, sized, sizes_of

if TYPE_CHECKING:
    from .style_transfer import StyleTransfer

BALANCE = 1000.0
"""`strength` 1: what the style's loss counts beside the content's, each divided by that of activations of zero."""


class StyleRuns:
    """The runs of a transfer: one for each picture at each size, from coarse to fine."""

    def __init__(self, how: "StyleTransfer", model: Model, images: Array, styles: Sequence[Array]) -> None:
        self.how, self.model, self.images, self.styles = how, model, images, styles
        self.sizes = sizes_of(how.scales, model, (images.shape[-2], images.shape[-1]))
        self.layers = how.layers(model, images)
        self.coordinates = suited(how.parameterisation, model, images[:1, ...])

    def pixels(self, size: Size) -> Parameterisation:
        """The coordinates of a picture of this size."""
        return coordinates(self.coordinates, (self.images.shape[1], *size))

    def job(self, n: int, last: Run | None) -> tuple[Evaluate, Array]:
        """The loss of picture n // sizes at size n % sizes, and where it starts: at what the size before has made."""
        picture, scale = divmod(n, len(self.sizes))
        content, size, how = self.images[picture : picture + 1, ...], self.sizes[scale], self.how
        seen = covering(in_grey(content) if how.colours == "luminance" else content, size)
        target = self.model.forward(seen, [self.layers[0]])[self.layers[0]]
        styles = [covering(style, size) for style in self._styles(content)]
        look = style_loss(self.model, styles, self.layers[1], how.blend, how.layer_weights)
        loss = self._weighed(match(self.layers[0], target), look, seen)
        pixels, start = self.pixels(size), seen
        if last is not None and scale:
            start = covering(self.pixels(self.sizes[scale - 1]).image.apply(last.parameters), size)
        if how.start == "noise" and not scale:
            return descent(self.model, loss, pixels), like(noise(pixels, how.seed), target)
        return descent(self.model, loss, pixels), pixels.of(like(start, target))

    def _weighed(self, content: Objective, style: Objective, seen: Array) -> Objective:
        """Both losses with their weights; without style_weight, the style's stands to the content's as at nothing."""
        how, beta = self.how, self.how.style_weight
        if beta is None:
            found = self.model.forward(seen, sorted(content.layers | style.layers))
            nothing = {name: namespace(maps).zeros_like(maps) for name, maps in found.items()}
            wanted, unit = (float(as_numpy(loss.value(nothing))[0]) for loss in (content, style))
            if not wanted or not unit:
                raise ParameterError(
                    "the content or the style is zero everywhere in its layers, so that strength means nothing: give "
                    "style_weight, or another picture"
                )
            beta = how.strength * BALANCE * wanted / unit
        return how.content_weight * content + beta * style

    def _styles(self, content: Array) -> Sequence[Array]:
        if self.how.colours == "luminance":
            return [in_grey(style) for style in self.styles]
        return [matched(style, content) for style in self.styles] if self.how.colours == "matched" else self.styles

    def finished(self, made: Array, n: int) -> Array:
        """Picture n of its parameters, at its own size if it was interrupted at a smaller, in the colours asked for."""
        size = next(s for s in reversed(self.sizes) if self.pixels(s).shape == tuple(made.shape[1:]))
        picture = sized(self.pixels(size).image.apply(made), self.sizes[-1])
        return recoloured(picture, self.images[n : n + 1, ...]) if self.how.colours == "luminance" else picture
