"""The contract of a method: parameters as dataclass fields, one call, the same on every backend.

A method is a frozen dataclass with a `name` and a `run`. What all methods share happens in `__call__`: images are
checked, the target becomes an `Objective`, batches are split by what memory allows, progress is shown, and the result
carries everything needed to repeat it. Parameters are stored as given and checked at the call.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, ClassVar, Protocol, Self, TypeVar, cast

from ..arrays import Array
from ..errors import ImageError
from ..execution.batching import batch_limit, slices
from ..execution.notices import notices_of
from ..execution.progress import Progress, part_of, show_progress
from ..files.kept_results import complete_with
from ..image.batch import image_batch
from ..image.loading import loading_records
from ..model.base import Model, refuse_unwrapped
from ..model.repeatability import refuse_where_alone_fails, repeatability
from ..objective import Objective
from ..objective.target import resolve_target
from ..result import Result, Synthesis
from .method_words import method_in_words
from .no_target import NO_TARGET
from .parameter import check_values, parameters
from .preset import Preset
from .provenance import json_value, objectives_of_images, provenance, used_layers, with_layer_names
from .sanity import refuse_nonfinite, sanity_notes
from .unit_range import in_model_bounds, synthesis_view

__all__ = ["Method", "gives", "makes_pictures"]


def gives(method: "type[Method]", kind: type[Result]) -> bool:
    """Whether its result is of this class, as the annotation of its `run` says."""
    returned = method.run.__annotations__.get("return")
    return returned == kind.__name__ or (isinstance(returned, type) and issubclass(returned, kind))


def makes_pictures(method: "type[Method]") -> bool:
    """Whether its result is a `Synthesis`."""
    return gives(method, Synthesis)


R_co = TypeVar("R_co", bound=Result, covariant=True)


class Runs(Protocol[R_co]):
    """What gives a result of type R: a call of a method returns what the annotation of its `run` says."""

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> R_co:
        """As `Method.run`."""


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """A way to look inside a network. Subclasses are frozen dataclasses with `name` and `run`."""

    name: ClassVar[str]
    aliases: ClassVar[Mapping[str, str]] = {}
    """Its names elsewhere, each with what differs there and how to get theirs; "" where they mean the same."""
    nearest_to: ClassVar[Mapping[str, str]] = {}
    """Names of methods that crosslens does not have and to which this one is the nearest, each with the reason."""
    batched: ClassVar[bool] = True
    """Whether images are independent of each other, so that a batch may be split."""
    needs_images: ClassVar[bool] = True
    """Whether it explains given images; False for one that makes its own from the network alone."""
    any_size: ClassVar[bool] = False
    """Whether it takes pictures of any size, whatever size the network takes, which sees them through windows."""
    animates: ClassVar[bool] = False
    """Whether it makes pictures that can be saved one after the other, as .gif, .webp or .mp4."""
    volumes: ClassVar[bool] = False
    """Whether it takes volumes (N, C, D, H, W) too; their maps are (N, d, h, w)."""
    needs_target: ClassVar[bool] = True
    """Whether a target means anything to it."""
    needs_rectifier: ClassVar[bool] = False
    """Whether it makes sense only on a network with rectifiers; else it raises a `ModelError`."""
    needs_attention: ClassVar[bool] = False
    """Whether it makes sense only on a transformer with attention weights as layers; else it raises a `LayerError`."""
    needs_picture_output: ClassVar[bool] = False
    """Whether it makes sense only on a network that makes pictures of pictures; else it raises a `ModelError`."""
    example: ClassVar[Mapping[str, Any]] = {}
    """Parameters with which `crosslens.testing` runs it: what has no default, and few steps."""

    presets: ClassVar[Mapping[str, Preset]] = {}
    """What other libraries return by default, by their names."""
    preset: ClassVar[Preset | None] = None
    """The one that this class follows; see `with_preset`."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Dataclasses below keep the short representation."""
        super().__init_subclass__(**keywords)
        cls.__repr__ = Method.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return method_in_words(self)

    @abstractmethod
    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Result:
        """The method itself, on one batch that fits into memory. Returns raw values; `__call__` adds the provenance.

        Args:
            model: the network; of a method that makes pictures, its view in [0, 1].
            images: (N, C, H, W) in the model's bounds, or (N, C, D, H, W); None where none are needed and none given.
            objective: the target of each image.
            progress: told after each step, (done, total, what).
        """

    def __call__(
        self: Runs[R_co], model: Model, images: Any = None, target: Any = None, *, progress: Progress | None = None
    ) -> R_co:
        """Apply the method.

        Args:
            model: what `crosslens.wrap` gave.
            images: (N, C, H, W), float32 in the model's bounds, [0, 1] unless told, or (N, C, D, H, W) of volumes, are
                taken as they are. One image or several, channels first or last, uint8 or float, of NumPy, torch,
                TensorFlow or Pillow, files, and lists of these are converted (`crosslens.image.batch.image_batch`).
            target: None for each image's predicted class, a class number or one per image, a label, an `Objective`, or
                a function of the output, (N, K), that gives one number for each image (`crosslens.objective.function`).
                A class means its logit (`crosslens.objective.target.resolve_target`); where a preset follows another
                library, the entry of the network's output, as there.
            progress: called after each step with (done, total, what). None: in a notebook a bar, elsewhere nothing.

        Returns:
            What `run` returns, a `Result`: raw values, with the method, its parameters and the provenance.

        Raises:
            CrosslensError: what is wrong with the images, the target, a layer or a parameter; or the network gives NaN.
        """
        asked = cast("Method", self)
        refuse_unwrapped(model, asked.name)
        return cast("R_co", with_layer_names(asked, model)._result(model, images, target, progress))

    def _result(self, model: Model, images: Any, target: Any, progress: Progress | None) -> Result:
        start = perf_counter()
        self.check_parameters()
        images = self._image_batch(model, images)
        model.follow_weights()
        refuse_where_alone_fails(model)
        count = None if images is None else images.shape[0]
        unit = "logit" if self.preset is None else "output"
        objective = resolve_target(target, model, count, unit) if self.needs_target else NO_TARGET
        is_synthesis = makes_pictures(type(self))
        view, x = synthesis_view(model, images) if is_synthesis else (model, images)
        method = self.with_network_defaults(view, x, objective)

        def complete(made: Any) -> Any:
            return self._completed(made, method, model, images, objective, start)

        with show_progress(progress, self.name) as told, complete_with(complete):
            result = method._run_in_batches(view, x, objective, told)
        refuse_nonfinite(self.name, result)
        whole: Result = complete(result)
        notices_of(self.name, whole.notes)
        return whole

    def _completed(
        self, result: Any, method: "Method", model: Model, images: Array, objective: Objective, start: float
    ) -> Result:
        """What `run` gave, in the model's bounds and with all that tells where it comes from.

        Args:
            result: of `run`.
            method: this one with what the network decides.
            model, images, objective: as `run` was given them, images and model in their own bounds.
            start: when the call began.
        """
        is_synthesis, count = makes_pictures(type(self)), None if images is None else images.shape[0]
        if is_synthesis:
            result = in_model_bounds(result, model, images)
        preset_record: dict[str, Any] = {}
        if self.preset is not None:
            preset_record = self.preset.record()
            if not is_synthesis:
                preset_record["per_pixel"] = result.values.ndim == images.ndim
                result = replace(result, values=self.preset.apply(result.values, images.shape[2:]))
        completed: Result = replace(
            result,
            method=self.name,
            parameters={f.name: json_value(getattr(self, f.name)) for f in parameters(self)},
            provenance={
                **provenance(model, objective, perf_counter() - start),
                **objectives_of_images(objective, count),
                **used_layers(model, self, method),
                **({"loading": list(loaded)} if (loaded := loading_records(images)) else {}),
                **result.provenance,
                **preset_record,
            },
            images=images if result.images is None else result.images,
            notes=(
                *result.notes,
                *repeatability(model).notes,
                *model.history.notes,
                *sanity_notes(model, objective, result),
            ),
        )
        return completed

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        """The parameters left None that this network decides, {"layer": "layer4"}: override where there are such.

        Every result records the layers that were used and whether they were the default, and `crosslens.compare` takes
        the first model's for all models.
        """
        return {}

    def with_network_defaults(self, model: Model, images: Array, objective: Objective) -> Self:
        """The same method with `network_defaults` filled in."""
        chosen = self.network_defaults(model, images, objective)
        return replace(self, **chosen) if chosen else self

    def images_at_once(self, model: Model) -> int:
        """How many images a batch of many pictures should hold; override it in a method that runs batches itself."""
        return batch_limit(model)

    def _run_in_batches(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Result:
        if images is None or not self.batched or images.shape[0] <= batch_limit(model):
            return self.run(model, images, objective, progress)
        bounds = list(slices(images.shape[0], batch_limit(model)))
        parts = []
        for n, (start, stop) in enumerate(bounds):
            within = part_of(progress, n, len(bounds))
            parts.append(self.run(model, images[start:stop, ...], objective.select(start, stop), within))
            progress(stop, images.shape[0], "images")
        return parts[0].joined(parts[1:])

    def check_parameters(self) -> None:
        """Refuse values that no network could be given; override to say what parameters must keep between them.

        Raises:
            ParameterError: with the parameter, its value, and what would be right.
        """
        check_values(self)

    def takes_any_size(self) -> bool:
        """Whether it takes pictures of any size with these parameters: `any_size`, unless they decide."""
        return self.any_size

    def check_volume(self) -> None:
        """Refuse to explain volumes, unless `volumes` says that it can; override where it depends on parameters.

        Raises:
            ImageError: it cannot, or this preset cannot.
        """
        if not self.volumes:
            raise ImageError(
                f"{self.name} takes pictures (C, H, W), and this model volumes (C, D, H, W); gradient, "
                "integrated_gradients, grad_cam, occlusion and rise take volumes"
            )
        if self.preset is not None and self.preset.postprocess:
            raise ImageError(
                f"the preset {self.preset.library!r} of {self.name} ends in steps for pictures, and this model takes "
                "volumes (C, D, H, W); leave the preset out for raw values"
            )

    def _image_batch(self, model: Model, images: Any) -> Array:
        if model.input.is_volume:
            self.check_volume()
        if images is None:
            if self.needs_images:
                raise ImageError(
                    f"{self.name} explains images: method(model, images), an array, a file, or a list of such"
                )
            return None
        return image_batch(images, model, any_size=self.takes_any_size())
