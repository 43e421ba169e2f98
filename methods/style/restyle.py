"""Style in one pass (Johnson et al. 2016; Dumoulin et al. 2017; Huang and Belongie 2017)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from crosslens.arrays import Array, like, namespace
from crosslens.errors import ModelError
from crosslens.execution.progress import Progress, part_of
from crosslens.method import Method
from crosslens.method.provenance import json_value
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.restyle.adain_network import AdaINNetwork
from crosslens.restyle.any_size import AnySize, Restyled
from crosslens.result import Synthesis

from ._restyle_parameters import RestyleOptions
from ._style_images import check_colours, with_colours_of
from ._style_shares import held_evenly


@dataclass(frozen=True, kw_only=True)
class Restyle(RestyleOptions):
    """Pictures through an image-to-image network.

    Pictures of any size through any network that makes pictures of pictures: in one pass where it takes the size and
    memory allows, else in tiles that fade into each other and share the statistics of the whole picture.

    One style (Johnson et al. 2016, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution"); one or a
    mixture of many, where the network has an input `style_weights` (Dumoulin et al. 2017, "A Learned Representation for
    Artistic Style"); or, with `decoder`, that of any picture (Huang and Belongie 2017, "Arbitrary Style Transfer in
    Real-time with Adaptive Instance Normalization"): the model is an encoder f, and the result
    g((1 - a) f(c) + a AdaIN(f(c), f(s))), a being the strength, g the decoder. Without one, the strength mixes pixels.
    """

    name = "restyle"
    aliases: ClassVar[Mapping[str, str]] = {
        "fast_neural_style": "",
        "fast_style_transfer": "",
        "adain": "with decoder=, features= and style=, the model being the encoder",
    }
    needs_target = False
    needs_picture_output = True
    any_size = True
    animates = True

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """A picture for each of `images`, of its size; `starts` are the images."""
        check_colours("style" if self.colours == "style" else "luminance", images)
        network = AnySize(self.network(model, images), self.tile)
        made, count = [], images.shape[0]
        for n in range(count):
            image = images[n : n + 1, ...]
            made.append(self._finished(network(image, part_of(progress, n, count)), image))
            progress(n + 1, count, "pictures")
        pictures = namespace(images).concat([each.picture for each in made], axis=0)
        notes = tuple(dict.fromkeys(note for each in made for note in each.notes))
        return Synthesis(
            images=pictures,
            starts=images,
            notes=(*self._shares_note(model), *notes),
            provenance=self._record(model, network, made),
        )

    def _finished(self, restyled: Restyled, image: Array) -> Restyled:
        """The picture within [0, 1], with the colours and the strength asked for.

        Raises:
            ModelError: the network gives NaN, or another number of channels.
        """
        picture, xp = like(restyled.picture, image), namespace(image)
        if picture.shape != image.shape:
            raise ModelError(f"the network makes {picture.shape[1]} channels of {image.shape[1]}: restyle keeps them")
        if not bool(xp.all(xp.isfinite(picture))):
            raise ModelError(
                "the network gives NaN or infinite values for this picture: look at its weights, and at the "
                "preprocessing (preprocess=)"
            )
        picture = xp.clip(picture, 0.0, 1.0)
        if self.colours == "content":
            picture = with_colours_of(picture, image)
        if self.decoder is None and self.strength < 1:
            picture = (1.0 - self.strength) * image + self.strength * picture
        return Restyled(picture, restyled.notes, restyled.tiles)

    def _shares_note(self, model: Model) -> tuple[str, ...]:
        count = held_evenly(model) if self.styles is None and self.decoder is None else 0
        text = f"all {count} styles of the network in equal shares: choose with styles='3', or styles='3:0.7,7:0.3'"
        return (text,) if count else ()

    def _record(self, model: Model, network: AnySize, made: Sequence[Restyled]) -> Mapping[str, Any]:
        """What the model's own record does not say: the shares of styles, the layer, the tiles."""
        record = dict(made[0].tiles)
        if isinstance(network.network, AdaINNetwork):
            return {**record, "layers": [network.network.layer]}
        inputs = getattr(self.with_styles(model), "fixed_inputs", {})
        return {**record, "inputs": json_value(dict(inputs))} if self.styles is not None else record


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Restyle]
