"""Class statistics: mean features of each class, likeness beside confusion, units that tell classes apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from crosslens.classes.class_table import ClassTable
from crosslens.classes.likeness import SIMILARITIES
from crosslens.data import Source, State, Statistic
from crosslens.data.features import AUTO, CHOICES, Features, features_of
from crosslens.data.image_marks import ImageLabels
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import default_layer
from crosslens.method import DatasetMethod, param
from crosslens.method.texts import as_texts
from crosslens.model import Model
from crosslens.plugins import hookimpl

from ._class_labels import refuse_known
from ._class_pair import ClassPair, UnitValues
from ._class_rows import DataClasses
from ._class_sums import ClassSums, Predictions

__all__ = ["ClassStatisticsMethod"]

SIMILARITY, COUNT = "cosine", 20
States = Mapping[Statistic, State]


@dataclass(frozen=True, kw_only=True)
class ClassStatisticsMethod(DatasetMethod):
    """How alike classes are, and how they are confused.

    The mean features of each class in a layer, how alike these are, and beside it which classes the network confuses,
    in an order in which like classes stand together; how far both agree. With `pair`, the units that tell two classes
    apart, or one class from all others: d', the difference of means over the root of the mean variance (Green and
    Swets, 1966), and of the best units the exact area under the ROC curve, which takes a second pass over the data.

    Labels are those of the data; they are compared with predictions where they are names or numbers of the network's
    classes. Images without a label are counted in a note and belong to no class.
    """

    name = "class_statistics"
    aliases: ClassVar[Mapping[str, str]] = {"confusion_matrix": "", "class_similarity": ""}
    layer: str | None = param(None, 'layer, or "<input>" for the pixels; the last maps before the output if not given')
    pooling: str = param(AUTO, "over positions; auto: flatten for <input>, else mean", choices=CHOICES)
    similarity: str = param(
        SIMILARITY,
        "of class means: of centred ones, correlation, or the distance with a minus",
        choices=tuple(SIMILARITIES),
    )
    pair: tuple[str, ...] = param((), "two classes to tell apart, or one against all others; none compares all classes")
    count: int = param(COUNT, "best units of a pair, which are drawn and have an AUC", minimum=1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pair", as_texts(self.pair))

    def check_parameters(self) -> None:
        super().check_parameters()
        if any(not each.strip() for each in self.pair):
            raise ParameterError(f"pair is {self.pair!r}; give one class or two, 4,9 for example")
        if self.pair and self.similarity != SIMILARITY:
            raise ParameterError(
                f"similarity is {self.similarity!r}, of all classes, and pair compares two: leave one out"
            )
        if not self.pair and self.count != COUNT:
            raise ParameterError(f"count is {self.count}, of units of a pair: give pair too, or leave count out")

    def network_defaults(self, model: Model) -> Mapping[str, Any]:
        """The default layer of the network's output."""
        return {} if self.layer else {"layer": default_layer(model)}

    def _features(self, model: Model) -> Features:
        return features_of(model, str(self.layer), self.pooling)

    def statistics(self, model: Model, source: Source, gathered: States | None = None) -> Sequence[Statistic]:
        if gathered is None:
            refuse_known(model, source, self.pair)
        sums = ClassSums(self._features(model))
        if not self.pair:
            predictions, _ = predictions_of(model)
            return [sums, *([predictions] if predictions else [])]
        return [sums, *(self._of_pair(model, source, gathered)[1:] if gathered else [])]

    def _classes(self, model: Model, source: Source, gathered: States) -> DataClasses:
        return DataClasses.of(model, str(self.layer), gathered[ClassSums(self._features(model))], str(source))

    def _of_pair(self, model: Model, source: Source, gathered: States) -> tuple[ClassPair, UnitValues, ImageLabels]:
        pair = ClassPair.of(self._classes(model, source, gathered), self.pair)
        return pair, UnitValues(self._features(model), pair.best(self.count)), ImageLabels()

    def finish(self, model: Model, source: Source, gathered: States, progress: Progress) -> ClassTable:
        classes = self._classes(model, source, gathered)
        if not self.pair:
            predictions, why_none = predictions_of(model)
            return classes.result(self.similarity, gathered[predictions] if predictions else None, why_none)
        pair, values, labels = self._of_pair(model, source, gathered)
        return pair.result(gathered[values], gathered[labels], classes.label_notes())


def predictions_of(model: Model) -> tuple[Predictions | None, str]:
    """The statistic of what the network predicts; None, and why, where its output is not classes."""
    output = model.output
    if not output.is_vector or output.kind == "score":
        return None, f"the network's output is {output}, and not classes"
    threshold = {"independent": 0.5, "independent_logits": 0.0}[output.kind] if output.binary else None
    return Predictions(output.count, threshold), ""


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """The method of this module."""
    return [ClassStatisticsMethod]
