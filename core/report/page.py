"""The page: overview, predictions, maps and differences picture by picture, figures, provenance."""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import combinations
from string import Template

from ..compare import Comparison
from ..result import Synthesis
from .markup import Markup, element, joined
from .pictures import Scale, data_uri, difference, has_maps, original, scale, shown
from .verdict import FIGURES, agrees, verdict, written

__all__ = ["page"]


def page(comparison: Comparison) -> str:
    """A comparison as one HTML file that needs nothing else."""
    title = f"{', '.join(comparison.methods)} on {', '.join(comparison.models)}"
    body = joined(
        _overview(comparison),
        _predictions(comparison),
        *(_picture(comparison, n) for n in range(_count(comparison))),
        _figures(comparison),
        _notes(comparison),
        _provenance(comparison),
    )
    return Template(_file("page.html")).substitute(title=joined(title), style=_file("page.css"), body=body)


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _count(comparison: Comparison) -> int:
    """How many pictures were explained or made."""
    return max(len(result.images) for result in comparison.results.values())


def _title(comparison: Comparison, index: int) -> str:
    return comparison.titles[index] if index < len(comparison.titles) else f"picture {index + 1}"


def _overview(comparison: Comparison) -> Markup:
    found = verdict(comparison)
    sign = element("span", "✓" if found.agree else "✗", aria_hidden="true", class_="sign")
    scope = f"{_number(len(comparison.models), 'model')}, {_number(len(comparison.methods), 'method')}, "
    return element(
        "header",
        element("p", "crosslens", class_="brand"),
        element("h1", f"Do {_together(comparison.models)} look at the same things?"),
        element("p", sign, found.text, class_="verdict agree" if found.agree else "verdict apart", role="status"),
        element("p", scope + _number(_count(comparison), "picture"), class_="quiet"),
    )


def _together(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]])


def _number(count: int, of: str) -> str:
    return f"{count} {of}" + "s" * (count != 1)


def _predictions(comparison: Comparison) -> Markup:
    if not comparison.predictions:
        return Markup()
    rows = [
        [_title(comparison, n), p.model, p.labels[n], str(p.classes[n]), f"{p.probabilities[n]:.4f}"]
        for n in range(_count(comparison))
        for p in comparison.predictions
    ]
    return _section("Predictions", _table("Predictions", ["picture", "model", "label", "class", "probability"], rows))


def _section(title: str, *content: str) -> Markup:
    return element("section", element("h2", title), *content)


def _table(name: str, header: list[str], rows: list[list[str]]) -> Markup:
    """A table that scrolls by itself where the window is narrow; cells that read as numbers stand right."""
    columns = list(zip(*rows, strict=True))
    numeric = [all(_is_number(cell) for cell in column) for column in columns]
    kinds = ["number" if right else None for right in numeric]
    head = element("tr", *(element("th", h, scope="col", class_=k) for h, k in zip(header, kinds, strict=True)))
    body = [element("tr", *(element("td", c, class_=k) for c, k in zip(row, kinds, strict=True))) for row in rows]
    table = element("table", element("thead", head), element("tbody", *body))
    return element("div", table, class_="scroll", role="region", aria_label=name, tabindex=0)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _picture(comparison: Comparison, index: int) -> Markup:
    title = _title(comparison, index)
    first = comparison.results[comparison.methods[0], comparison.models[0]]
    seen = Markup() if isinstance(first, Synthesis) else element("div", _original(comparison, index), class_="original")
    return _section(title, seen, *(_method(comparison, method, index) for method in comparison.methods))


def _original(comparison: Comparison, index: int) -> Markup:
    first = comparison.results[comparison.methods[0], comparison.models[0]]
    said = dict.fromkeys(f"{p.labels[index]}, {p.probabilities[index]:.2f}" for p in comparison.predictions)
    caption = "as the models see it" + (f": {' / '.join(said)}" if said else "")
    return _figure(data_uri(original(first, index)), f"the picture {_title(comparison, index)}", caption)


def _figure(uri: str, alt: str, *caption: str) -> Markup:
    image = element("img", src=uri, alt=alt, decoding="async")
    return element("figure", image, element("figcaption", *caption))


def _method(comparison: Comparison, method: str, index: int) -> Markup:
    """One method's row: the maps side by side, then the differences of each pair."""
    heading = element("h3", method)
    results = [comparison.results[method, model] for model in comparison.models]
    if index >= len(results[0].images):
        return Markup()
    if not all(map(has_maps, results)):
        return element("article", heading, element("p", "These values are no maps: see the figures below."))
    common = scale(comparison, method, index)
    maps = [
        _figure(data_uri(shown(r, index, common)), f"{method} on {model}, {_title(comparison, index)}", model)
        for model, r in zip(comparison.models, results, strict=True)
    ]
    bar = Markup() if isinstance(results[0], Synthesis) else _scale_bar(common)
    apart = list(_differences(comparison, method, index, common))
    summary = element("summary", "Where they differ")
    return element(
        "article",
        heading,
        element("p", _parameters(comparison, method), class_="quiet"),
        element("div", *maps, class_="maps"),
        bar,
        element("details", summary, element("div", *apart, class_="maps small"), open="open"),
    )


def _parameters(comparison: Comparison, method: str) -> str:
    result = comparison.results[method, comparison.models[0]]
    values = [f"{name} {value}" for name, value in result.parameters.items() if value is not None]
    return ", ".join([f"of {result.provenance.get('objective', 'the network')}", *values])


def _scale_bar(common: Scale) -> Markup:
    ends = ("against", "for the target") if common.signed else ("nothing", "most")
    alt = f"colour scale from {-common.limit if common.signed else 0:.3g} to {common.limit:.3g}"
    bar = element("img", src=data_uri(common.bar()), alt=alt)
    return element("p", element("span", ends[0]), bar, element("span", f"{ends[1]} ({common.limit:.3g})"), class_="bar")


def _differences(comparison: Comparison, method: str, index: int, common: Scale) -> Iterator[Markup]:
    for a, b in combinations(comparison.models, 2):
        pixels, limit = difference(comparison.results[method, a], comparison.results[method, b], index)
        detail = _magnified(common.limit, limit)
        caption = element("span", detail, class_="quiet")
        yield _figure(data_uri(pixels), f"{method}: {a} minus {b}, {detail}", f"{a} − {b}: ", caption)


def _magnified(above: float, here: float) -> str:
    """How much stronger the colours of a difference are than those of the maps that it is of."""
    if not here:
        return "no difference"
    times = above / here
    return f"magnified {float(f'{times:.2g}'):,.{0 if times >= 10 else 1}f} times"


def _figures(comparison: Comparison) -> Markup:
    """Every figure of every pair, with what it means one focus away."""
    header = ["method", "models", *map(_explained, FIGURES), "agree"]
    rows = [
        [
            row["method"],
            " − ".join(row["models"]),
            *written(row),
            _mark(agrees(row)),
        ]
        for row in comparison.figures()
    ]
    meanings = [joined(element("dt", f.short), element("dd", f.meaning)) for f in FIGURES.values()]
    legend = element("details", element("summary", "What the figures mean"), element("dl", *meanings))
    return _section("Figures", _table("Figures", header, rows), legend)


def _mark(fine: bool) -> Markup:
    return element("span", "✓ yes" if fine else "✗ no", class_="yes" if fine else "no")


def _explained(key: str) -> Markup:
    figure = FIGURES[key]
    tip = element("span", figure.meaning, role="tooltip", id=f"tip-{key}")
    return element("span", figure.short, tip, class_="tip", tabindex=0, aria_describedby=f"tip-{key}")


def _notes(comparison: Comparison) -> Markup:
    said = [f"{method} on {model}: {note}" for (method, model), r in comparison.results.items() for note in r.notes]
    return _section("Notes", element("ul", *(element("li", note) for note in said))) if said else Markup()


def _provenance(comparison: Comparison) -> Markup:
    """What is needed to repeat it, by model; the times are those of each method."""
    rows = [
        [
            model,
            method,
            f"{result.provenance['seconds']:.3f} s",
            ", ".join(f"{name} {version}" for name, version in result.provenance["versions"].items()),
            str(result.provenance["model"]),
            ", ".join(f"{k} {v}" for k, v in result.provenance["preprocess"].items()),
            str(result.provenance["date"]),
        ]
        for (method, model), result in comparison.results.items()
    ]
    header = ["model", "method", "time", "computed by", "digest of the model", "preprocessing", "date"]
    return _section("Provenance", _table("Provenance", header, rows))
