"""A picture's part of the page: the maps of each method side by side, where they differ, and how much."""

from collections.abc import Iterator
from itertools import combinations

from ..comparison.compare import Comparison
from ..result import Synthesis
from .markup import Markup, element
from .pictures import Room, Scale, data_uri, difference, has_maps, layer, original, scale
from .verdict import judged, mark

__all__ = ["case"]


def case(comparison: Comparison, index: int, within: Room, *, opened: bool) -> Markup:
    """One picture, in a block that opens when it is asked for."""
    title = comparison.title(index)
    first = comparison.results[comparison.methods[0], comparison.models[0]]
    made = isinstance(first, Synthesis)
    seen = Markup() if made else _photo(title, _said(comparison, index))
    methods = [_method(comparison, method, index, within) for method in comparison.methods]
    height, width = first.images.shape[-2:]
    photo = "" if made else f"; --photo: url({original(first, index, within)})"
    summary = element("summary", element("h3", title), element("span", *_worst(comparison, index), class_="quiet"))
    return element(
        "details",
        summary,
        element("div", seen, *methods, id_=f"picture-{index}", style=f"--aspect: {width} / {height}{photo}"),
        class_="case",
        open="open" if opened else None,
    )


def _said(comparison: Comparison, index: int) -> str:
    said = dict.fromkeys(f"{p.labels[index]}, {p.probabilities[index]:.2f}" for p in comparison.predictions)
    return "as the models see it" + (f": {' / '.join(said)}" if said else "")


def _photo(title: str, caption: str) -> Markup:
    stack = element("div", element("i", class_="photo"), class_="stack", role="img", aria_label=f"the picture {title}")
    return element("div", element("figure", stack, element("figcaption", caption)), class_="original")


def _worst(comparison: Comparison, index: int) -> Iterator[Markup]:
    """For each method, how its pairs of maps of this picture are judged."""
    for method in comparison.methods:
        rows = [row for row in comparison.images if row["method"] == method and row["image"] == index]
        if rows:
            worst = max(rows, key=lambda row: row["relative_l2"])
            yield element("span", f"{method} ", mark(judged(worst, comparison.noise.get(method))), class_="chip")


def _method(comparison: Comparison, method: str, index: int, within: Room) -> Markup:
    """One method's row: the maps side by side, then the differences of each pair."""
    heading = element("h4", method)
    results = [comparison.results[method, model] for model in comparison.models]
    if index >= len(results[0].images):
        return Markup()
    if not all(map(has_maps, results)):
        return element("article", heading, element("p", "These values are no maps: see the figures."))
    common = scale(comparison, method, index)
    maps = [_map(comparison, (method, model), index, common, within) for model in comparison.models]
    bar = Markup() if isinstance(results[0], Synthesis) else _scale_bar(common)
    apart = list(_differences(comparison, method, index, common, within))
    return element(
        "article",
        heading,
        element("p", _parameters(comparison, method), class_="quiet"),
        element("div", *maps, class_="maps row"),
        bar,
        element("details", element("summary", "Where they differ"), element("div", *apart, class_="maps"), open="open"),
    )


def _map(comparison: Comparison, key: tuple[str, str], index: int, on: Scale, within: Room) -> Markup:
    """A map over its picture, by the model's name."""
    method, model = key
    result = comparison.results[key]
    under = [] if isinstance(result, Synthesis) else [element("i", class_="photo grey")]
    alt = f"{method} on {model}, {comparison.title(index)}"
    drawn = element("img", src=layer(result, index, on, within), alt=alt, decoding="async", loading="lazy")
    stack = element("div", *under, drawn, class_="stack")
    return element("figure", stack, element("figcaption", model), data_model=model)


def _parameters(comparison: Comparison, method: str) -> str:
    result = comparison.results[method, comparison.models[0]]
    values = [f"{name} {value}" for name, value in result.parameters.items() if value is not None]
    objective = str(result.provenance.get("objective", "the network"))
    many = len(result.images) > 1 and "," in objective
    return ", ".join(["of each picture's own class" if many else f"of {objective}", *values])


def _scale_bar(common: Scale) -> Markup:
    ends = ("against", "for the target") if common.signed else ("nothing", "most")
    alt = f"colour scale from {-common.limit if common.signed else 0:.3g} to {common.limit:.3g}"
    bar = element("img", src=data_uri(common.bar()), alt=alt, title=f"{alt}; all models share it")
    return element("p", element("span", ends[0]), bar, element("span", f"{ends[1]} ({common.limit:.3g})"), class_="bar")


def _differences(comparison: Comparison, method: str, index: int, common: Scale, within: Room) -> Iterator[Markup]:
    for a, b in combinations(comparison.models, 2):
        uri, limit = difference(comparison.results[method, a], comparison.results[method, b], index, within)
        detail = _magnified(common.limit, limit)
        drawn = element("img", src=uri, alt=f"{method}: {a} minus {b}, {detail}", decoding="async", loading="lazy")
        caption = element("figcaption", f"{a} − {b}: ", element("span", detail, class_="quiet"))
        yield element("figure", element("div", drawn, class_="stack exact"), caption)


def _magnified(above: float, here: float) -> str:
    """How much stronger the colours of a difference are than those of the maps that it is of."""
    if not here:
        return "no difference"
    times = above / here
    return f"magnified {float(f'{times:.2g}'):,.{0 if times >= 10 else 1}f} times"
