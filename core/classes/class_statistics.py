"""`ClassStatistics`: for each class its mean features; how alike classes are, and how the network confuses them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ParameterError, unknown_name
from ..result.display import Pixels, counted
from ..result.table import Table
from .class_table import ClassTable
from .discrimination import ClassMeans
from .heat_map import Scale, heat_map, short, side_by_side
from .likeness import confusion_rates

__all__ = ["ClassStatistics"]

Numbers = np.ndarray[Any, Any]
TITLES = {
    "cosine": "similarity: cosine of centred class means",
    "correlation": "similarity: correlation of class means",
    "euclid": "similarity: minus the distance of class means",
}


@dataclass(frozen=True, kw_only=True)
class ClassStatistics(ClassTable):
    """One row for each of C classes, in the order of their labels.

    Columns: "class", the label, and "images"; "nearest", the class most like it, and "similarity" to it; "unit", the
    one that stands for the class most, with its "d_prime" against all other images; "mean" (C, K) and "deviation" (C,
    K) of the K features. Where predictions can be compared with labels: "accuracy", the share that is right (NaN for
    a label that is no class of the network); "confused_with", the other class that most images are taken for, with
    their share "confused"; and "other_classes", the share that is taken for what is no class of the data.
    """

    labels: tuple[str, ...]
    """Of all classes."""
    names: tuple[str, ...]
    """What pictures call them."""
    counts: Array
    """(C,): images."""
    means: Array
    """(C, K), float64."""
    variances: Array
    """(C, K), float64, divided by the number of images."""
    similarity: Array
    """(C, C), larger for classes that are more alike: cosine or correlation, or minus the Euclidean distance."""
    metric: str
    """Which of these: "cosine", "correlation" or "euclid"."""
    order: Array
    """(C,): the classes, by their rows, in an order in which like ones stand together; both matrices are drawn so."""
    class_numbers: Array
    """(C,): the network's class that each label stands for, -1 for none."""
    confusion: Array = None
    """(C, C), whole numbers: images of the row's class that are predicted to be the column's; None without any."""
    other_predictions: Array = None
    """(C,): images that are predicted to be what is no class of the data."""
    agreements: Mapping[str, float] = field(default_factory=dict)
    """"agreement" and "rank_agreement": correlations of similarity and confusion over pairs of classes."""
    _item: ClassVar[str] = "class"

    @property
    def statistics(self) -> ClassMeans:
        """Counts, means and variances, and what follows from them."""
        return ClassMeans(self.counts, as_numpy(self.means), as_numpy(self.variances))

    def signal_to_noise(self) -> Numbers:
        """Of each feature, (K,): scatter of the classes' means over that of images round them."""
        return self.statistics.signal_to_noise()

    def rates(self) -> Numbers:
        """The share of each class's images that is predicted to be each class, (C, C).

        Raises:
            ParameterError: there is no confusion matrix.
        """
        return confusion_rates(as_numpy(self._known_confusion()), as_numpy(self.counts))

    def _known_confusion(self) -> Numbers:
        if self.confusion is None:
            raise ParameterError("there is no confusion matrix; the notes say why")
        return as_numpy(self.confusion)

    def confusion_table(self) -> Table:
        """The confusion matrix: a row for each label, columns "predicted LABEL" and "predicted another".

        Raises:
            ParameterError: there is none.
        """
        table = self._matrix(self._known_confusion(), "predicted")
        return Table({**table.columns, "predicted another": as_numpy(self.other_predictions)})

    def similarity_table(self) -> Table:
        """The similarity matrix: a row for each class, columns "like LABEL"."""
        return self._matrix(as_numpy(self.similarity), "like")

    def _matrix(self, values: Numbers, word: str) -> Table:
        names = np.asarray(self.labels)
        return Table({"class": names, **{f"{word} {label}": values[:, n] for n, label in enumerate(self.labels)}})

    def save_into(self, folder: Path) -> Sequence[Path]:
        """`picture.png`, the table, and both matrices, as Parquet."""
        matrices = {"similarity": self.similarity_table()}
        if self.confusion is not None:
            matrices["confusion"] = self.confusion_table()
        written = [each.save(folder / f"{name}.parquet") for name, each in matrices.items()]
        return [*super().save_into(folder), *written]

    def units_of(self, label: str | int, count: int = 10) -> Table:
        """The units that stand for a class most: unit, d' against all other images, and both means.

        Raises:
            ParameterError: no such class.
        """
        label = str(label)
        if label not in self.labels:
            raise ParameterError(unknown_name("class", label, self.labels))
        place = self.labels.index(label)
        d_primes = self.statistics.against_rest()[place]
        units = np.argsort(-d_primes, kind="stable")[:count]
        rest = self.statistics.rest()
        return Table({
            "unit": units,
            "d_prime": d_primes[units],
            "mean": as_numpy(self.means)[place, units],
            "other_mean": as_numpy(rest.means)[place, units],
        })  # fmt: skip

    def figures(self) -> Mapping[str, Any]:
        """Classes, images, accuracy, agreement and signal-to-noise."""
        counts, known = as_numpy(self.counts), as_numpy(self.class_numbers) >= 0
        found: dict[str, Any] = {"classes": len(counts), "images": int(counts.sum())}
        if self.confusion is not None:
            right = np.diagonal(as_numpy(self.confusion))[known].sum()
            found["accuracy"] = float(right / counts[known].sum())
        return {**found, **self.agreements, "signal_to_noise": self.statistics.total_signal_to_noise()}

    def _facts(self) -> Iterator[str]:
        yield f"{counted(len(self.labels), 'class').replace('classs', 'classes')}"
        yield counted(int(as_numpy(self.counts).sum()), "image")
        for name, value in self.figures().items():
            if isinstance(value, float):
                yield f"{name.replace('_', ' ')} {value:.3g}"

    def picture(self) -> Pixels:
        """The similarity matrix, and beside it the confusion matrix, both in the order of likeness.

        The diagonals are grey: they would hide all else. Confusions are shares of the row's images.
        """
        order = as_numpy(self.order)
        names = [self.names[n] for n in order]
        similarity = as_numpy(self.similarity)[np.ix_(order, order)]
        scale = Scale.of(similarity, signed=self.metric != "euclid")
        drawn = [heat_map(similarity, names, TITLES[self.metric], scale)]
        if self.confusion is not None:
            rates = self.rates()[np.ix_(order, order)]
            right = [short(float(rate)) for rate in np.diagonal(rates)]
            title = "confusion: rows are labels, columns predictions, shares of a row"
            if others := int(as_numpy(self.other_predictions).sum()):
                title += f"; {counted(others, 'image')} taken for other classes"
            drawn.append(heat_map(rates, names, title, Scale.of(rates, signed=False), diagonal=right))
        layer = ", ".join(self.provenance.get("layers", ()))
        return side_by_side(drawn, f"layer {layer}: {', '.join(self._facts())}" if layer else ", ".join(self._facts()))
