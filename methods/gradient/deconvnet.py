"""Deconvolutional network (Zeiler and Fergus, 2014, https://arxiv.org/abs/1311.2901, section 2.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from crosslens.arrays import Array, namespace
from crosslens.errors import ImageError, LayerError
from crosslens.execution.progress import Progress
from crosslens.introspection.nonlinearities import rule_note
from crosslens.method import Method, param
from crosslens.method.postprocess import channel_mean
from crosslens.method.preset import Preset
from crosslens.model import INPUT, OUTPUT, Model
from crosslens.objective import Objective, pullback
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

from ._unpooling import TOLERANCE, Pooling, max_poolings


@dataclass(frozen=True, kw_only=True)
class Deconvnet(Method):
    """A unit of any layer, projected back to the pixels.

    Project one unit of any layer back to the pixels: filters transposed, pooling undone, rectified on the way back.

    At each ReLU, dx = (dy > 0) dy, whatever its input was. The target says which unit: `neuron(layer, channel, y, x)`,
    or `channel(layer, k)` for all positions of a map at once. Max pooling is undone at the positions of the maxima
    (the paper's switches), which is what its gradient does, or, without switches, in equal parts over each window. The
    paper starts from the unit's own activation, here it is one: the way back is homogeneous, so the paper's values are
    these times `scores`.

    Where convolutions have strides instead of a pooling (ResNet, MobileNet, EfficientNet), no switches say which
    positions counted: the transposed filters overlap unevenly (Odena, Dumoulin and Olah 2016) and draw a grid that is
    the same for every picture. Springenberg et al. (2015, https://arxiv.org/abs/1412.6806) saw the same and proposed
    `guided_backprop`.
    """

    name = "deconvnet"
    aliases: ClassVar[Mapping[str, str]] = {
        "deconvolution": "",
        "deconv": "",
        "deconvolutional_network": "",
    }
    volumes = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset(),
        "xplique": Preset(postprocess=(channel_mean,)),
        "zennit": Preset(),
    }
    needs_rectifier = True
    layer: str = param(INPUT, "layer to go back to; the image if not given")
    switches: bool = param(True, "undo max pooling at the positions of the maxima; else evenly over each window")

    def check_volume(self) -> None:
        super().check_volume()
        if not self.switches:
            raise ImageError("deconvnet undoes max pooling evenly in pictures only; for volumes leave switches=True")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Signed values of the shape of the image, or of the layer."""
        back, notes = model.modified(relu="deconvnet"), rule_note(model)
        if not self.switches:
            return replace(self._without_switches(back, images, objective), notes=notes)
        pull, scores = pullback(back, images, objective, wrt=[self.layer])
        return Attribution(pull.gradients[self.layer], scores=scores, notes=notes)

    def _without_switches(self, model: Model, images: Array, objective: Objective) -> Attribution:
        """From the target to the last pooling, over it, on to the one before it, and so on to the layer."""
        activations = model.forward(images, [name for name in model.layers if name not in {INPUT, OUTPUT}])
        poolings = _from_layer_on(self.layer, list(max_poolings(model, activations)), list(model.layers))
        wanted = [self.layer, *(name for each in poolings for name in (each.layer, each.before))]
        pull, scores = pullback(model, images, objective, wrt=wanted)
        gradients = pull.gradients
        for each in poolings:
            dy = gradients[each.layer]
            if not bool(namespace(dy).any(dy != 0)):
                continue
            through = model.vjp(images, {each.layer: dy}, wrt=[each.before]).gradients[each.before]
            _check_only_way(each, through, gradients[each.before])
            spread = each.spread(dy, activations[each.before])
            gradients = model.vjp(images, {each.before: spread}, wrt=wanted).gradients
        return Attribution(gradients[self.layer], scores=scores)


def _from_layer_on(layer: str, poolings: Sequence[Pooling], names: Sequence[str]) -> list[Pooling]:
    """The poolings whose input is the layer or comes after it."""
    return [each for each in poolings if names.index(each.before) >= names.index(layer)]


def _check_only_way(pooling: Pooling, through: Array, whole: Array) -> None:
    """What reaches a pooling's input must have come through the pooling.

    Raises:
        LayerError: another way leads around it.
    """
    xp = namespace(whole)
    if float(xp.max(xp.abs(through - whole))) > TOLERANCE * float(xp.max(xp.abs(whole))):
        raise LayerError(
            f"the target reads {pooling.before!r} not only through the pooling {pooling.layer!r}, so the two ways back "
            "cannot be told apart without the switches; leave switches=True"
        )


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Deconvnet]
