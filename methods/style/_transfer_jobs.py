"""The runs of a style transfer: what each minimises, where it starts, and the picture that comes of it."""

from collections.abc import Sequence

from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.model import Model
from crosslens.objective import match
from crosslens.operators import Size
from crosslens.optim.base import Evaluate
from crosslens.optim.loop import Run
from crosslens.style_training.style_loss import balanced_weight, normalised_weights, style_loss
from crosslens.style_training.style_pictures import resize_and_crop
from crosslens.synthesis.checkpoint import MAY_DIFFER
from crosslens.synthesis.jobs import Jobs
from crosslens.synthesis.parameterisation import Parameterisation
from crosslens.synthesis.tiling import overlapping_tiles

from ._loss import picture_loss
from ._parameterisation import choose_coordinates, coordinates, noise
from ._parameters import TransferOptions
from ._sizes import at_size, scale_sizes
from ._style_images import luminance, match_colours, with_colours_of
from ._tiled_loss import TiledLoss

OVERLAP = 0.25
"""Share of a tile's side that its neighbours see too."""


class TransferJobs(Jobs):
    """One job for each picture at each size, from coarse to fine."""

    def __init__(self, how: TransferOptions, model: Model, images: Array, styles: Sequence[Array]) -> None:
        self.how, self.model, self.images, self.styles = how, model, images, styles
        self.sizes = scale_sizes(how.scales, how.tile_size, model, (images.shape[-2], images.shape[-1]))
        self.sample = at_size(images[:1, ...], how.tile_size(model, self.sizes[-1]))
        self.layers = how.layers(model, self.sample)
        self.coordinates = choose_coordinates(how.parameterisation, model, self.sample)
        self.scales, self.count, self.steps = len(self.sizes), images.shape[0] * len(self.sizes), how.steps
        self.optimiser = how.optimiser_within(self.pixels(self.sizes[-1]).bounds)
        self.starts = images if how.start == "content" else None
        self.may_differ = MAY_DIFFER if self.scales == 1 else MAY_DIFFER - {"steps"}
        self.example = images

    def pixels(self, size: Size) -> Parameterisation:
        """The coordinates of a picture of this size."""
        return coordinates(self.coordinates, (self.images.shape[1], *size))

    def job(self, n: int, last: Run | None) -> tuple[Evaluate, Array]:
        """The loss of picture n // sizes at size n % sizes, and where it starts: at what the size before has made."""
        picture, scale = divmod(n, len(self.sizes))
        content, size, how = self.images[picture : picture + 1, ...], self.sizes[scale], self.how
        seen = resize_and_crop(luminance(content) if how.colours == "luminance" else content, size)
        styles = [resize_and_crop(style, size) for style in self._styles(content)]
        pixels, start = self.pixels(size), seen
        at_once = how.tile_size(self.model, size) == size
        loss = self._whole(seen, styles, pixels) if at_once else self._in_tiles(seen, styles, pixels)
        if last is not None and scale:
            start = resize_and_crop(self.pixels(self.sizes[scale - 1]).image.apply(last.parameters), size)
        if how.start == "noise" and not scale:
            return loss, like(noise(pixels, how.seed), seen)
        return loss, pixels.of(like(start, seen))

    def _whole(self, seen: Array, styles: Sequence[Array], pixels: Parameterisation) -> Evaluate:
        """The loss where the network sees the picture at once."""
        content, how = self.layers[0], self.how
        target = match(content, self.model.forward(seen, [content])[content])
        look = style_loss(self.model, styles, self.layers[1], how.blend, how.layer_weights)
        activations = self.model.forward(seen, sorted(target.layers | look.layers))
        nothing = {name: namespace(maps).zeros_like(maps) for name, maps in activations.items()}
        beta = self._beta(*(float(as_numpy(loss.value(nothing))[0]) for loss in (target, look)))
        return picture_loss(self.model, how.content_weight * target + beta * look, pixels)

    def _in_tiles(self, seen: Array, styles: Sequence[Array], pixels: Parameterisation) -> Evaluate:
        """The loss where it sees tiles only."""
        how, size = self.how, (seen.shape[-2], seen.shape[-1])
        tiles = overlapping_tiles(size, how.tile_size(self.model, size), OVERLAP)
        weights = normalised_weights("layer_weights", how.layer_weights, len(self.layers[1]), "style layers")
        loss = TiledLoss(self.model, tiles, pixels, dict(zip(self.layers[1], weights, strict=True)))
        blend = normalised_weights("blend", how.blend, len(styles), "styles")
        looks = [loss.grams(style) for style in styles]
        mixed = {name: sum(s * look[name] for s, look in zip(blend, looks, strict=True)) for name in self.layers[1]}
        loss.alpha, loss.beta = how.content_weight, self._beta(*loss.aim(self.layers[0], seen, mixed))
        return loss

    def _beta(self, content: float, style: float) -> float:
        """The style's weight: without style_weight, it stands to the content's as both losses do at nothing."""
        how = self.how
        if how.style_weight is not None:
            return how.style_weight
        return balanced_weight(how.strength, content, style)

    def _styles(self, content: Array) -> Sequence[Array]:
        if self.how.colours == "luminance":
            return [luminance(style) for style in self.styles]
        if self.how.colours == "matched":
            return [match_colours(style, content) for style in self.styles]
        return self.styles

    def pictures(self, parameters: Array, n: int) -> Array:
        """Picture n of its parameters, at its own size if it was interrupted at a smaller, in the colours asked for."""
        size = next(s for s in reversed(self.sizes) if self.pixels(s).shape == tuple(parameters.shape[1:]))
        picture = at_size(self.pixels(size).image.apply(parameters), self.sizes[-1])
        return with_colours_of(picture, self.images[n : n + 1, ...]) if self.how.colours == "luminance" else picture
