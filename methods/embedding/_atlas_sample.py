"""The positions that an atlas is made of: gathered in a sweep, or those of an earlier atlas."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from crosslens.data import Source, State, Statistic
from crosslens.data.sampling.sampled_positions import SampledPositions
from crosslens.errors import ModelError, ParameterError
from crosslens.layouts import Layout
from crosslens.method import param
from crosslens.method.parameter_group import ParameterGroup
from crosslens.model import INPUT, Model
from crosslens.plugins.saved_result import load
from crosslens.sheets.atlas import Atlas

from ._mean_colour import MeanColour, mean_colour
from ._position_effects import AttributedPositions

__all__ = [
    "PositionOptions",
    "checked_sample",
    "earlier_atlas",
    "gathered_sample",
    "refuse_input",
    "same_layout",
]

METHOD = "activation_atlas"
COUNT, EDGE, PER_IMAGE = 10_000, 1, 1
_MAKE = f"crosslens run {METHOD} MODEL DATA -o atlas.npz"


def earlier_atlas(given: Any) -> Atlas | None:
    """The atlas that `sample` means: a result as it is, a file, the store of a sweep; None for None.

    Raises:
        ParameterError: no such file, or it holds no atlas.
    """
    if given is None or isinstance(given, Atlas):
        return given
    if not isinstance(given, str | Path):
        raise ParameterError(f"sample is {given!r}; give an atlas, its .npz or the store of a sweep with {METHOD}")
    path = Path(given)
    file = path / METHOD / "result.npz" if path.is_dir() else path
    if not file.exists():
        raise ParameterError(f"no atlas at '{file}', which does not exist; make one: {_MAKE}")
    found = load(file)
    if not isinstance(found, Atlas):
        raise ParameterError(f"'{file}' holds a result of {found.method}, not an atlas; make one: {_MAKE}")
    return found


@dataclass(frozen=True, kw_only=True)
class PositionOptions(ParameterGroup):
    """Which positions an atlas is made of."""

    title = "positions"
    count: int | None = param(None, f"positions of all images, at most; {COUNT:,} if not given", minimum=1)
    per_image: int | None = param(None, f"positions of one image; {PER_IMAGE} if not given", minimum=1)
    edge: int | None = param(None, f"positions left out along the edges of maps; {EDGE} if not given", minimum=0)
    sample: Any = param(None, "take those of an earlier atlas and sweep no more: its .npz, a store, or the atlas")

    def _refuse_both(self) -> None:
        """Refuse a sample together with what it was drawn by."""
        given = [name for name in ("count", "per_image", "edge") if getattr(self, name) is not None]
        if self.sample is not None and given:
            raise ParameterError(
                f"{given[0]} is {getattr(self, given[0])}, and sample brings positions that were drawn already: leave "
                "one of them out"
            )

    def _statistic(self, model: Model, layer: str, seed: int, classes: int) -> SampledPositions:
        """What a sweep gathers.

        Args:
            model: the network.
            layer: by its canonical name.
            seed: of the draw.
            classes: 0 to gather no attributions.
        """
        chosen = (self.count or COUNT, seed, EDGE if self.edge is None else self.edge, self.per_image or PER_IMAGE)
        if classes and model.output.is_vector:
            return AttributedPositions(layer, *chosen, classes=model.output.count)
        return SampledPositions(layer, *chosen)


def gathered_sample(model: Model, gathered: Mapping[Statistic, State]) -> Mapping[str, Any]:
    """What `Atlas.sample` holds, of the states of a sweep.

    Raises:
        ModelError: activations or attributions that are not finite.
    """
    (state,) = (each for statistic, each in gathered.items() if isinstance(statistic, SampledPositions))
    rows = state["activation"]
    if not np.isfinite(rows).all():
        raise ModelError("the layer gives infinite values for some images; look at the network's weights")
    none = {"effect": np.zeros((len(rows), 0), np.float32)}
    colour = mean_colour(gathered[MeanColour()], model.input.bounds or (0.0, 1.0))
    if not np.isfinite(state.get("effect", 0.0)).all():
        raise ModelError(
            "the class scores of some images, or their gradients, are NaN or infinite; classes=0 needs none"
        )
    return {**none, **state, "mean_colour": colour}


def checked_sample(atlas: Atlas, layer: str, source: Source, model: Model) -> tuple[str, ...]:
    """A note where the positions of an earlier atlas were taken of another network.

    Args:
        atlas: the earlier one.
        layer: that is asked for, by its canonical name.
        source: the data that are given.
        model: the network.

    Raises:
        ParameterError: they are of another layer or other data.
    """
    if atlas.layer != layer:
        raise ParameterError(f"sample holds positions of layer {atlas.layer!r}, not {layer!r}: leave the layer out")
    known = atlas.provenance.get("source", {})
    if known.get("digest", source.digest) != source.digest:
        raise ParameterError(f"sample was taken of other data: {known['source']}; received {source}")
    units = [n for n in model.layer(layer).shape[1:] if n is not None]
    if units and atlas.means.shape[1] not in units:
        raise ParameterError(f"sample holds {atlas.means.shape[1]} units; layer {layer!r} gives {tuple(units)}")
    if atlas.provenance.get("model") == model.last_digest:
        return ()
    return ("the positions were sampled with another network, or this one in another framework",)


def same_layout(layout: Layout, name: str, seed: int, chosen: Any) -> bool:
    """Whether a layout is what this name and seed would give for the positions that are chosen.

    Args:
        layout: of an earlier atlas.
        name: of a layout, as `Layout.name`.
        seed: of what is random in it.
        chosen: (n,), bool.
    """
    laid_out = np.isfinite(layout.points).all(axis=1)
    return (layout.name, layout.parameters["seed"]) == (name, seed) and np.array_equal(laid_out, chosen)


def refuse_input(layer: str) -> str:
    """The layer, if it is one of the network's own.

    Raises:
        ParameterError: it is the image.
    """
    if layer == INPUT:
        raise ParameterError(f"an atlas is of a layer of the network, not of {INPUT}: embedding lays out images")
    return layer
