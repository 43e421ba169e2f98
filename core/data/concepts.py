"""Concepts: what pixels, or whole images, are labelled as, by category: "disc" of shapes, "red" of colours.

A source with concepts has the attribute `concepts`, and its records hold `record["concepts"]`, label maps of shape
(planes, H, W), int32: the concept's number at each pixel, 0 for none. A plane holds concepts of one category; those
that overlap are in several planes, and no pixel has one concept twice. There is at least one plane; how many there are
may differ from image to image. (H, W) is the size of the image as the network sees it, or smaller by a whole factor.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

from ..errors import ParameterError, unknown_name
from ..result.display import counted, one_line

__all__ = ["Concepts", "HasConcepts", "concepts_of"]


@dataclass(frozen=True)
class Concepts:
    """Names by category. Concept number n, counted from 1, is `names[n - 1]` of the category `categories[n - 1]`.

    >>> concepts = Concepts.of({"shape": ["disc", "square"], "colour": ["red"]})
    >>> concepts.numbers("colour"), concepts.label(3), concepts.number("disc")
    ((3,), 'red (colour)', 1)
    """

    names: tuple[str, ...]
    categories: tuple[str, ...]
    """Of each concept."""

    def __post_init__(self) -> None:
        if len(self.names) != len(self.categories):
            raise ParameterError(
                f"{len(self.names)} names have {len(self.categories)} categories: give each concept its category"
            )
        if not self.names:
            raise ParameterError("there is no concept: give the names of at least one")
        pairs = Counter(zip(self.categories, self.names, strict=True))
        if twice := [f"{name!r} of {category!r}" for (category, name), count in pairs.items() if count > 1]:
            raise ParameterError(f"two concepts have one name, {', '.join(twice[:3])}: give each its own")

    @classmethod
    def of(cls, names: Mapping[str, Iterable[str]]) -> "Concepts":
        """Those of each category, in this order.

        Args:
            names: by category, {"shape": ["disc", "square"], "colour": ["red", "green"]}.
        """
        pairs = [(str(name), category) for category, each in names.items() for name in each]
        return cls(tuple(name for name, _ in pairs), tuple(category for _, category in pairs))

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        counts = Counter(self.categories)
        return one_line(
            "Concepts", [counted(len(self), "concept"), ", ".join(f"{n} of {name}" for name, n in counts.items())]
        )

    @cached_property
    def by_category(self) -> Mapping[str, tuple[int, ...]]:
        """The numbers of the concepts of each category, categories in the order of their first concept."""
        found: dict[str, list[int]] = {}
        for number, category in enumerate(self.categories, 1):
            found.setdefault(category, []).append(number)
        return {category: tuple(numbers) for category, numbers in found.items()}

    def numbers(self, category: str) -> tuple[int, ...]:
        """Those of one category.

        Raises:
            ParameterError: there is no such category.
        """
        if category not in self.by_category:
            raise ParameterError(unknown_name("category", category, self.by_category))
        return self.by_category[category]

    def label(self, number: int) -> str:
        """The name of a concept with its category, "disc (shape)"; "none" for 0."""
        return f"{self.names[number - 1]} ({self.categories[number - 1]})" if number else "none"

    def number(self, name: str, category: str | None = None) -> int:
        """The number of a concept, by its name or by its label, "disc (shape)".

        Raises:
            ParameterError: there is no such concept, or one in each of several categories.
        """
        chosen = range(1, len(self) + 1) if category is None else self.numbers(category)
        found = [n for n in chosen if name in {self.names[n - 1], self.label(n)}]
        if len(found) > 1:
            raise ParameterError(f"{name!r} is several concepts, {', '.join(map(self.label, found))}: say which")
        if not found:
            raise ParameterError(unknown_name("concept", name, [self.names[n - 1] for n in chosen]))
        return found[0]


@runtime_checkable
class HasConcepts(Protocol):
    """A source whose records hold label maps of concepts."""

    @property
    def concepts(self) -> Concepts:
        """What the numbers in the label maps mean."""


def concepts_of(source: object) -> Concepts:
    """The concepts of a source.

    Raises:
        ParameterError: it has none, with the data that would be right.
    """
    if isinstance(source, HasConcepts):
        return source.concepts
    raise ParameterError(
        f"{source} has no concepts, labels of pixels: give a folder with images/, masks/CATEGORY/NAME.png and "
        "concepts.json, a folder in the style of VOC, a COCO file instances.json, or in Python crosslens.concept_data("
        "(images, masks, names)); crosslens shapes -o shapes makes one"
    )
