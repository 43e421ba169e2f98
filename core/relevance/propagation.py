"""Relevance of a target, from where the target is read down to the image or to a layer.

What goes back is a gradient, relevance over activation: so rules are backward rules of a model, branches of a network
add up by themselves, and the relevance of any layer is its activation times the gradient there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from array_api_compat import device

from ..arrays import Array, like, namespace
from ..model.base import INPUT, OUTPUT, Model, Pullback
from ..model.kernel_rules import KernelRule
from ..model.layer import ABSORBED
from ..model.reduction import unit_axis
from ..objective import Objective, pullback
from .composite import Composite, rules_of, two_kernels_note
from .linear_map import LinearMap, Values, linear_maps
from .offsets import offsets, taken_by_offsets
from .pixels import at_image, to_pixels
from .rules import Rule
from .ways_apart import Back, WaysApart

__all__ = ["Propagated", "Propagation"]

_KEPT = 4
"""Prepared rules that are kept for one model."""
_prepared: "WeakKeyDictionary[Model, dict[object, Propagation]]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Propagated:
    """Relevance where it was asked for, and its accounts, (N,) each."""

    values: Array
    """Of the shape of the image or of the layer."""
    scores: Array
    """The objective."""
    start: Array
    """Relevance where it began: activation times gradient where the target is read, or at the channels chosen."""
    absorbed: Array
    """(N, 2): what biases and the stabiliser took."""
    notes: tuple[str, ...] = ()
    """What a reader of the relevance should know of the rules."""


@dataclass(frozen=True, eq=False)
class Propagation:
    """The rules of a network, prepared for relevance of one layer or of the image."""

    model: Model
    """With the rules."""
    layer: str
    rules: Mapping[str, Rule]
    offsets: Mapping[str, Values]
    """By layer without a kernel what it adds to each channel."""
    ends: Mapping[str, str]
    """By layer with a kernel the one that holds what it computes: the normalisation behind it, or itself."""
    reads: tuple[str, ...]
    """The layers that all relevance of the image comes through: those that the first linear maps read, or the image."""
    is_local: bool
    """Whether a first linear map has a rule that gives relevance and no gradient."""
    apart: WaysApart | None = None
    """Where rules that give relevance and no gradient are not the only way to the image."""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        model: Model,
        composite: Composite,
        objective: Objective,
        *,
        overrides: Sequence[str] = (),
        epsilon: float | None = None,
        biased: bool = True,
        layer: str = INPUT,
    ) -> "Propagation":
        """Prepared once for a network, a layer and settings, and kept.

        Args:
            model: the network.
            composite: the rules by kind of layer.
            objective: whose layers relevance begins at.
            overrides: rules by layer, as `rules_of` takes them.
            epsilon: the stabiliser, where it is not the rules' own.
            biased: whether biases take their share.
            layer: where relevance is asked for.

        Raises:
            ParameterError, LayerError, ModelError: a rule that does not exist, fits no layer, or nothing to work on.
        """
        layer = layer if layer == INPUT else model.layer(layer).name
        seeds = frozenset(model.layer(name).name if name not in {INPUT, OUTPUT} else name for name in objective.layers)
        key = (composite, tuple(overrides), epsilon, biased, layer, seeds, model.history.changes)
        known = _prepared.setdefault(model, {})
        if (prepared := known.get(key)) is None:  # another thread may drop it between two looks
            prepared = cls._prepare(model, composite, seeds, overrides, epsilon, biased, layer)
            for oldest in list(known)[: max(0, len(known) - _KEPT + 1)]:
                known.pop(oldest, None)
            known[key] = prepared
        return prepared

    @classmethod
    def _prepare(
        cls,
        model: Model,
        composite: Composite,
        seeds: frozenset[str],
        overrides: Sequence[str],
        epsilon: float | None,
        biased: bool,
        layer: str,
    ) -> "Propagation":
        maps = linear_maps(model, seeds)
        rules = rules_of(maps, composite, overrides, epsilon, biased=biased)
        ends = {each.layer: each.end for each in maps}
        layer = ends.get(layer, layer)
        below = frozenset() if layer == INPUT else model.upstream([layer]) or frozenset()
        tables = {each.layer: rules[each.layer].table(each) for each in maps if each.layer not in below}

        def with_rules(kernels: Mapping[str, KernelRule]) -> Model:
            return model.modified(kernels=kernels, slope="ratio", norms="stop", products="half")

        modified, first = with_rules(tables), [each for each in maps if each.is_first]
        ruled = [each for each in first if each.layer in tables]
        apart = WaysApart.of(
            modified, ruled, [each for each in ruled if rules[each.layer].is_local], tables, with_rules
        )
        is_local = any(rules[each.layer].is_local for each in first)
        reads = _ways_in(model, first)
        laid_out = model.upstream(reads) or frozenset() if layer == INPUT and apart is None and reads != [INPUT] else ()
        left_out = below.union(laid_out)
        read = model.upstream(sorted(seeds - {INPUT})) if seeds - {INPUT} else frozenset()
        notes = two_kernels_note([e for e in maps if e.layer in tables and (read is None or e.layer in read)], rules)
        return cls(modified, layer, rules, offsets(model, maps, left_out), ends, tuple(reads), is_local, apart, notes)

    def of_target(
        self, images: Array, objective: Objective, through: Mapping[str, Sequence[int]] | None = None
    ) -> Propagated:
        """Relevance of a target.

        Args:
            images: (N, C, H, W).
            objective: the target.
            through: channels by layer; relevance goes on from these channels alone (Achtibat et al. 2023).
        """
        if through:
            return self._through(images, objective, through)
        seeds = sorted(objective.layers)
        pull, scores = pullback(
            self.model, images, objective, wrt=list(dict.fromkeys((*self._asked, *self._accounts, *seeds))),
            capture=[*self._captured, *seeds],
        )  # fmt: skip
        starts = [_total(pull.activations[name] * pull.gradients[name]) for name in seeds]
        start = sum(starts[1:], starts[0]) if len(starts) == 1 else scores

        def back(model: Model, layer: str) -> Pullback:
            return pullback(model, images, objective, wrt=[layer], capture=[] if layer == INPUT else [layer])[0]

        return Propagated(self._values(images, pull, back), scores, start, self._absorbed(images, pull), self.notes)

    def of_layers(self, images: Array, objective: Objective, layers: Sequence[str]) -> Mapping[str, Array]:
        """Relevance of a target at several layers, all in one pass, by name, of their shapes.

        A layer with a kernel has that of the normalisation behind it; one that the target does not depend on, zeros.

        Args:
            images: (N, C, H, W).
            objective: the target.
            layers: by name; this must have been prepared for the image.
        """
        places = {name: self.ends.get(own, own) for name in layers if (own := self.model.layer(name).name)}
        ends = [name for name in objective.layers if name != INPUT]
        before = self.model.upstream(ends)
        reached = [at for at in dict.fromkeys(places.values()) if before is None or at in before]
        pull, _ = pullback(self.model, images, objective, wrt=reached, capture=list(dict.fromkeys(places.values())))
        found = {}
        for name, at in places.items():
            activation = pull.activations[at]
            if at not in reached:
                found[name] = namespace(activation).zeros_like(activation)
            else:
                is_relevance = self.is_local and at in self.reads
                found[name] = pull.gradients[at] if is_relevance else pull.gradients[at] * activation
        return found

    def _through(self, images: Array, objective: Objective, through: Mapping[str, Sequence[int]]) -> Propagated:
        through = {self.ends.get(name, name): channels for name, channels in through.items()}
        order = [name for name in reversed(list(self.model.layers)) if name in through]
        pull, scores = pullback(self.model, images, objective, wrt=[order[0]], capture=[order[0]])
        for name, below in zip(order, (*order[1:], None), strict=True):
            dy = _only(pull.gradients[name], through[name])
            if below is not None:
                pull = self.model.vjp(images, {name: dy}, wrt=[below], capture=[below])
        last = order[-1]
        start = _total(dy * pull.activations[last])
        pull = self.model.vjp(images, {last: dy}, wrt=[*self._asked, *self._accounts], capture=self._captured)

        def back(model: Model, layer: str) -> Pullback:
            return model.vjp(images, {last: dy}, wrt=[layer], capture=[] if layer == INPUT else [layer])

        return Propagated(self._values(images, pull, back), scores, start, self._absorbed(images, pull), self.notes)

    @property
    def _accounts(self) -> list[str]:
        """Where biases took their share, above the layer whose relevance is asked for."""
        return [*self.offsets, *[ABSORBED] * bool(self.model.rules.kernels)]

    def _absorbed(self, images: Array, pull: Pullback) -> Array:
        xp = namespace(images)
        none = xp.zeros((images.shape[0], 2), dtype=images.dtype, device=device(images))
        taken = taken_by_offsets(pull, self.offsets, images)
        return pull.gradients.get(ABSORBED, none) + xp.stack([taken, xp.zeros_like(taken)], axis=1)

    @property
    def _asked(self) -> list[str]:
        return list(self.reads) if self.layer == INPUT else [self.layer]

    @property
    def _captured(self) -> list[str]:
        return [name for name in self._asked if name != INPUT]

    def _values(self, images: Array, pull: Pullback, back: Back) -> Array:
        if self.apart is not None and self.layer in {INPUT, *self.apart.without}:
            return self.apart.values(images, self.layer, back)
        if self._asked == [INPUT]:
            return at_image(self.model, images, pull.gradients[INPUT], is_relevance=self.is_local)
        values = {name: pull.gradients[name] for name in self._asked}
        for name, gradient in values.items():
            if not (self.is_local and name in self.reads):
                values[name] = gradient * pull.activations[name]
        if self.layer != INPUT:
            return values[self.layer]
        first, *others = (to_pixels(self.model, images, name, read) for name, read in values.items())
        return sum(others, first)


def _ways_in(model: Model, first: Sequence[LinearMap]) -> list[str]:
    """The layers that the first linear maps read, but those that another one of them is made of; else the image."""
    names = list(dict.fromkeys(name for each in first for name in each.reads))
    if not names or INPUT in names or not all(each.reads and each.is_only_way for each in first):
        return [INPUT]
    before = {name: model.upstream([name]) or frozenset() for name in names}
    return [name for name in names if not before[name].intersection(names) - {name}]


def _only(gradient: Array, channels: Sequence[int]) -> Array:
    """The gradient at these channels, 0 at the others."""
    xp = namespace(gradient)
    axis = unit_axis(gradient.ndim)
    kept = xp.zeros(gradient.shape[axis], dtype=gradient.dtype, device=device(gradient))
    for channel in channels:
        kept[channel] = 1
    return gradient * xp.reshape(like(kept, gradient), tuple(-1 if n == axis else 1 for n in range(gradient.ndim)))


def _total(values: Array) -> Array:
    return namespace(values).sum(values, axis=tuple(range(1, values.ndim)))
