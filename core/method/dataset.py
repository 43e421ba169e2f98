"""The contract of a method over a data set: statistics to gather over many images, and what is made of them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, ClassVar, Protocol, Self, TypeAlias, TypeVar, cast

from ..data import Gathered, Source, State, Statistic, data, replay, sweep
from ..execution.notices import notices_of
from ..execution.progress import Progress, show_progress, silent
from ..execution.workers import Workers
from ..model.base import Model, refuse_unwrapped
from ..model.repeatability import refuse_where_alone_fails, repeatability
from ..result import Result
from .base import Method
from .method_words import method_in_words
from .parameter import check_values, parameters
from .preset import Preset
from .provenance import json_value, provenance, used_layers, with_layer_names

__all__ = ["AnyMethod", "DatasetMethod", "source_for"]

NAMED_FAILURES = 3
"""Images that could not be read which a note names; the provenance lists all of them."""


R_co = TypeVar("R_co", bound=Result, covariant=True)


class Finishes(Protocol[R_co]):
    """What gives a result of type R: a call of a method returns what the annotation of its `finish` says."""

    def finish(self, model: Model, source: Source, gathered: Mapping[Statistic, State], progress: Progress) -> R_co:
        """As `DatasetMethod.finish`."""


@dataclass(frozen=True, kw_only=True)
class DatasetMethod(ABC):
    """What many images say about a network. Subclasses are frozen dataclasses with `name` and the two methods below.

    A call runs them over a source in rounds: `statistics` names what to gather, is asked again with what was gathered,
    and ends the rounds by an empty list; `finish` makes the result.
    """

    name: ClassVar[str]
    aliases: ClassVar[Mapping[str, str]] = {}
    """Its names elsewhere, each with what differs there and how to get theirs; "" where they mean the same."""
    nearest_to: ClassVar[Mapping[str, str]] = {}
    """Names of methods that crosslens does not have and to which this one is the nearest, each with the reason."""
    example: ClassVar[Mapping[str, Any]] = {}
    """Parameters with which `crosslens.testing` runs it: what has no default."""
    presets: ClassVar[Mapping[str, Preset]] = {}
    """What other libraries compute, by their names: other parameters, no postprocessing."""
    preset: ClassVar[Preset | None] = None
    """The one that this class follows; see `with_preset`."""

    reads_labels: ClassVar[bool] = False
    """Whether it reads label maps, `record["concepts"]`: they are read only where a method of a sweep does."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Dataclasses below keep the short representation."""
        super().__init_subclass__(**keywords)
        cls.__repr__ = DatasetMethod.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return method_in_words(self)

    @abstractmethod
    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        """What the next pass over the data must gather; an empty list when there is nothing left to gather.

        Args:
            model: the network.
            source: the images; their number and ids, not to be read here.
            gathered: None before the first round; then the state of each statistic that this method asked for in the
                rounds before, in that order.
        """

    @abstractmethod
    def finish(self, model: Model, source: Source, gathered: Mapping[Statistic, State], progress: Progress) -> Result:
        """What is made of the statistics: raw values, to which `__call__` adds the provenance.

        Args:
            model: the network.
            source: the images, which may be read again.
            gathered: the state of each statistic that `statistics` asked for, in the order in which it did.
            progress: to be called where this takes long.
        """

    def __call__(
        self: Finishes[R_co],
        model: Model,
        source: Any,
        *,
        workers: Workers | None = None,
        progress: Progress | None = None,
    ) -> R_co:
        """Run the method over a data set.

        Args:
            model: what `crosslens.wrap` gave.
            source: a `crosslens.Source`, or what `crosslens.data` makes one of: a folder, an array.
            workers: who computes, `crosslens.execution.workers.Workers`; this process if not given. The same bits
                whatever their number, where each has as many threads.
            progress: called after each batch of images with (done, total, which round). None: in a notebook a bar,
                elsewhere nothing.

        Returns:
            What `finish` returns, a `Result`, with the method, its parameters and the provenance: the source's digest,
            how many of its images were read, and each image that could not be, with the reason.

        Raises:
            CrosslensError: what is wrong with the source, a layer or a parameter; or none of the images can be read.
        """
        asked = cast("DatasetMethod", self)
        refuse_unwrapped(model, asked.name)
        return cast("R_co", with_layer_names(asked, model)._result(model, source, workers or Workers(), progress))

    def _result(self, model: Model, source: Any, workers: Workers, progress: Progress | None) -> Result:
        start = perf_counter()
        self.check_parameters()
        if (earlier := self.earlier(source)) is not None:
            with show_progress(progress, self.name) as told:
                result = self.from_earlier(model, earlier, told)
            notices_of(self.name, result.notes)
            return result
        source = source_for([self], data(source))
        source.check(model)
        model.follow_weights()
        refuse_where_alone_fails(model)
        with show_progress(progress, self.name) as told:
            asked, executor = [self.with_network_defaults(model)], workers.executor()
            gathered = sweep(model, source, asked, told, executor=executor, threads=workers.threads)
            return self.result(model, source, gathered, start=start, progress=told)

    def result(
        self, model: Model, source: Source, gathered: Gathered, *, start: float, progress: Progress = silent
    ) -> Result:
        """The result of a sweep that gathered what this method asks for, perhaps among other things.

        Args:
            model: the network.
            source: the images.
            gathered: what the sweep gave.
            start: when it began, by `time.perf_counter`.
            progress: called by `finish`, if that takes long.
        """
        method = self.with_network_defaults(model)
        states, _ = replay(method, model, source, gathered.states)
        result = method.finish(model, source, states, progress)
        result = replace(
            result,
            method=self.name,
            parameters={f.name: json_value(getattr(self, f.name)) for f in parameters(self)},
            provenance={
                **provenance(model, None, perf_counter() - start),
                **used_layers(model, self, method),
                "source": source_record(source, gathered),
                **result.provenance,
                **({} if self.preset is None else {"preset": self.preset.library}),
            },
            notes=(
                *result.notes,
                *source.notes,
                *failure_notes(source, gathered),
                *repeatability(model).notes,
                *model.history.notes,
            ),
        )
        notices_of(self.name, result.notes)
        return result

    def earlier(self, data: Any) -> Any:
        """What `data` names of this method's earlier results, to go on from; None where it is data, as here always.

        Given what it returned, it returns that again.
        """
        return None

    def from_earlier(self, model: Model, earlier: Any, progress: Progress) -> Result:
        """The whole result, provenance included, that is made of what `earlier` gave. Override both or none."""
        raise NotImplementedError

    def check_parameters(self) -> None:
        """Refuse values that no network could be given; override to say what parameters must keep between them.

        Raises:
            ParameterError: with the parameter, its value, and what would be right.
        """
        check_values(self)

    def network_defaults(self, model: Model) -> Mapping[str, Any]:
        """The parameters left None that this network decides, {"layer": "layer4"}: override where there are such."""
        return {}

    def with_network_defaults(self, model: Model) -> Self:
        """The same method with `network_defaults` filled in."""
        chosen = self.network_defaults(model)
        return replace(self, **chosen) if chosen else self


def source_for(methods: Sequence[DatasetMethod], source: Source) -> Source:
    """The source as these methods read it: with label maps where one of them does."""
    return source if any(method.reads_labels for method in methods) else source.images_only()


AnyMethod: TypeAlias = Method | DatasetMethod
"""What the group of entry points `crosslens.methods` holds."""


def source_record(source: Source, gathered: Gathered) -> Mapping[str, Any]:
    """What a result records of its data, as JSON can hold it."""
    return {
        "source": repr(source),
        "digest": source.digest,
        "images": len(source),
        "read": gathered.images,
        "failures": [{"id": each.id, "reason": each.reason} for each in gathered.failures],
        "shard": gathered.shard,
        "micro_batch": gathered.micro_batch,
    }


def failure_notes(source: Source, gathered: Gathered) -> tuple[str, ...]:
    """A note on the images that could not be read, and why the first could not; none where all could."""
    count = len(gathered.failures)
    if not count:
        return ()
    ids = [each.id for each in gathered.failures[:NAMED_FAILURES]]
    named = ", ".join(ids) + ", ..." * (count > len(ids))
    why = f"; {ids[0]}: {gathered.failures[0].reason}"
    return (f"{count} of {len(source)} images could not be read and are left out: {named}{why}",)
