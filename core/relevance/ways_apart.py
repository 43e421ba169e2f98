"""First layers with rules that give relevance and no gradient, where the target reaches the image by other ways too.

What is passed back is linear in each way: what these layers give is what comes back less what does without them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

from ..arrays import Array
from ..model.base import INPUT, Model, Pullback
from ..model.kernel_rules import Branch, KernelRule
from .linear_map import LinearMap
from .pixels import at_image, to_pixels

__all__ = ["Back", "WaysApart"]

Back: TypeAlias = Callable[[Model, str], Pullback]
"""The target's gradient at a layer, and its activation, by the rules of a model."""

_NOTHING = KernelRule((Branch(weight=0.0),))


@dataclass(frozen=True, eq=False)
class WaysApart:
    """The ways to the image through such layers, each by the layer that they read, and the others."""

    model: Model
    """With all rules."""
    without: Mapping[str, Model]
    """By layer that is read, the model in which those that read it by such a rule pass nothing."""
    others: Model
    """In which none passes anything."""
    end: str
    """The layer whose relevance by the other ways is asked for: `INPUT` unless all go through one that is read."""

    @classmethod
    def of(
        cls,
        model: Model,
        first: Sequence[LinearMap],
        local: Sequence[LinearMap],
        tables: Mapping[str, KernelRule],
        with_rules: Callable[[Mapping[str, KernelRule]], Model],
    ) -> Self | None:
        """None where such layers are the only way.

        Args:
            model: with all rules.
            first: the linear maps that read the image.
            local: those whose rule gives relevance.
            tables: the rules of all.
            with_rules: the network with other rules.
        """
        reads = {read for each in first for read in each.reads}
        alone = all(each.is_only_way for each in first)
        if not local or (alone and len(reads) == 1 and len(local) == len(first)):
            return None
        without = {
            read: with_rules({**tables, **{each.layer: _NOTHING for each in local if read in each.reads}})
            for read in dict.fromkeys(read for each in local for read in each.reads)
        }
        others = with_rules({**tables, **{each.layer: _NOTHING for each in local}})
        return cls(model, without, others, reads.pop() if alone and len(reads) == 1 else INPUT)

    def values(self, images: Array, layer: str, back: Back) -> Array:
        """Relevance of the image, or of a layer that is read.

        Args:
            images: (N, C, H, W).
            layer: `INPUT`, or a key of `without`.
            back: what the target passes back.
        """
        end = self.end if layer == INPUT else layer
        pull = back(self.others, end)
        gradient = pull.gradients[end]
        if end == INPUT:
            total = at_image(self.model, images, gradient, is_relevance=False)
        else:
            total = self._at(images, layer, end, gradient * pull.activations[end])
        for read, model in self.without.items():
            if layer in {INPUT, read}:
                relevance = back(self.model, read).gradients[read] - back(model, read).gradients[read]
                total = total + self._at(images, layer, read, relevance)
        return total

    def _at(self, images: Array, layer: str, read: str, relevance: Array) -> Array:
        """Relevance of what is read, at the layer that is asked for."""
        if read == INPUT:
            return at_image(self.model, images, relevance, is_relevance=True)
        return relevance if layer == read else to_pixels(self.model, images, read, relevance)
