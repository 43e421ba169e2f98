"""The page: overview, images, figures, charts, the layers one by one, provenance."""

from collections.abc import Sequence
from html import unescape
from re import search
from typing import Any

from ..alignment.divergence import Divergence
from ..comparison.figures import MAP_FIGURES, format_map_figures
from ..comparison.runs import left_out
from ..comparison.view import ComparisonView, PairView, RunView
from .attacks import attack_sections, map_methods, map_pairs
from .cases import case
from .charts import Lane, error_curve, strips
from .document import document
from .markup import Markup, anchor, element, join, section
from .pictures import room
from .tables import Cell, Heading, mark, table

__all__ = ["page"]

_OPENED = 3
"""Number of images whose block is open from the start."""
_SEVERITY = {"agree": 0.0, "rounding": 0.5, "apart": 2.0}
"""Where a judgement stands among distances as shares of their limit."""
_SPREAD_FIGURES = ("max_relative_difference", "relative_l2", "rank_correlation", "ssim", "top_k")
"""The figures whose quantiles over the images are shown."""


def page(view: ComparisonView) -> str:
    """A comparison as one HTML file that needs nothing else."""
    title = f"{', '.join(view.methods)} on {', '.join(view.models)}"
    figures = [_figures(view), _distribution(view), *attack_sections(view), _layers(view)]
    cases = [_cases(view)]
    inner = [*cases, *figures] if len(view.images) <= _OPENED else [*figures, *cases]
    parts = [_predictions(view), *inner, _notes(view), _provenance(view)]
    body = join(_overview(view), _contents(parts), *parts)
    return document(title, body)


def _contents(parts: Sequence[Markup]) -> Markup:
    """Links to the parts that there are."""
    titles = [unescape(heading[1]) for part in parts if (heading := search("<h2>(.*?)</h2>", part))]
    return element("nav", *(element("a", t, href=f"#{anchor(t)}") for t in titles), aria_label="Parts of this page")


def _overview(view: ComparisonView) -> Markup:
    agree, text = view.verdict.agree, view.verdict.text
    sign = element("span", "✓" if agree else "✗", aria_hidden="true", class_="sign")
    scope = f"{_number(len(view.models), 'model')}, {_number(len(view.methods), 'method')}, "
    return element(
        "header",
        element("p", "crosslens", class_="brand"),
        element("h1", f"Do {_in_words(view.models)} {_question(view)}?"),
        element("p", sign, text, class_="verdict agree" if agree else "verdict apart", role="status"),
        element("p", scope + _number(len(view.images), "picture"), class_="quiet"),
        *_left_out(view),
    )


def _question(view: ComparisonView) -> str:
    """What a comparison asks: of maps, of attacks, or of both."""
    looks, falls = "look at the same things", "fall to the same attacks"
    asked = [text for text, there in ((looks, map_methods(view)), (falls, view.attacks)) if there]
    return " and ".join(asked)


def _left_out(view: ComparisonView) -> list[Markup]:
    lines = left_out(view.skipped)
    heading = element("summary", f"Left out: {_number(len(lines), 'case')}")
    return [element("details", heading, element("ul", *(element("li", line) for line in lines)))] if lines else []


def _in_words(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]])


def _number(count: int, of: str) -> str:
    return f"{count} {of}" + "s" * (count != 1)


def _predictions(view: ComparisonView) -> Markup:
    """A row for each image: what each model predicts, and how far the maps are apart."""
    if not view.predictions:
        return Markup()
    scores = "score" in {p.unit for p in view.predictions}
    apart = Heading(
        "score apart" if scores else "probability apart",
        "How far the models' scores lie apart."
        if scores
        else "How far the models' probabilities of the class that the first one predicts lie apart.",
    )
    header: list[Heading | str] = [
        "picture",
        *view.models,
        "same score" if scores else "same class",
        apart,
        *(_distance_heading(name) for name in map_methods(view)),
    ]
    rows = [_row(view, n) for n in range(len(view.images))]
    tall = "tall" if len(rows) > 12 else ""
    return section("Predictions", table("Predictions", header, rows, tall))


def _distance_heading(method: str) -> Heading:
    meaning = MAP_FIGURES["relative_l2"].meaning
    return Heading(method, f"The largest relative L2 difference of two models' maps of {method}. {meaning}")


def _row(view: ComparisonView, n: int) -> list[Cell | str]:
    image = view.images[n]
    predictions = [
        Cell(join(p.labels[n].partition(",")[0], " ", element("b", f"{p.probabilities[n]:.4f}")), p.probabilities[n])
        for p in view.predictions
    ]
    link = element("a", image.title, href=f"#picture-{n}")
    same = Cell(mark("agree" if image.same_prediction else "apart"))
    spread = Cell(f"{image.prediction_spread:.1e}", image.prediction_spread)
    distances = [
        Cell(f"{image.distances[m]:.2e}", image.distances[m]) if m in image.distances else Cell("-")
        for m in map_methods(view)
    ]
    return [Cell(link), *predictions, same, spread, *distances]


def _layers(view: ComparisonView) -> Markup:
    """The error from layer to layer, of the first model and each other one."""
    if not view.divergences:
        return Markup()
    parts = [part for divergence in view.divergences for part in _divergence(divergence)]
    key = _key(error="error so far", own="added by the layer", noise="by rounding")
    return section("Layer by layer", key, *parts)


def _key(**lines: str) -> Markup:
    """What each kind of line in a chart is."""
    return element("p", *(element("span", text, class_=f"key {name}") for name, text in lines.items()), class_="quiet")


def _divergence(divergence: Divergence) -> list[Markup]:
    name = " and ".join(divergence.models)
    header = ["layer", f"in {divergence.models[1]}", "error so far", "added by the layer", "by rounding", "correlation"]
    rows: list[list[Cell | str]] = [
        [s.a, s.b, *(Cell(f"{v:.2e}", v) for v in (s.error, s.own, s.noise)), f"{s.agreement:.6f}"]
        for s in divergence.steps
    ]
    inner = table(f"Layers of {name}", header, rows, "tall")
    shown = element("details", element("summary", f"All {len(rows)} pairs of layers as a table"), inner)
    class_ = "verdict agree" if divergence.first is None else "verdict apart"
    return [element("h3", name), element("p", divergence.text, class_=class_), error_curve(divergence), shown]


def _figures(view: ComparisonView) -> Markup:
    """Every figure of every pair of maps, the worst of the images; a focus on a heading shows its meaning."""
    if not map_methods(view):
        return Markup()
    measured = _noise_measurement(view)
    noise = Heading("L2 by rounding", measured)
    headings = [Heading(f.short, f.meaning) for f in MAP_FIGURES.values()]
    header: list[Heading | str] = ["method", "models", *headings, noise, "agree"]
    rows = [_figures_row(view, pair) for pair in map_pairs(view)]
    meanings = [join(element("dt", each.text), element("dd", each.meaning)) for each in (*headings, noise)]
    legend = element("details", element("summary", "What the figures mean"), element("dl", *meanings))
    of = "Of each figure the worst of all pictures. " if len(view.images) > 1 else ""
    return section("Figures", element("p", of + measured, class_="quiet"), table("Figures", header, rows), legend)


def _figures_row(view: ComparisonView, pair: PairView) -> list[Cell | str]:
    noise = view.noise.get(pair.method)
    by_rounding = Cell(f"{noise.figures['relative_l2']:.2e}") if noise else Cell("-")
    return [pair.method, _pair_name(pair), *format_map_figures(pair.worst), by_rounding, Cell(mark(pair.judgement))]


def _pair_name(pair: PairView) -> str:
    return " − ".join(pair.models)


def _noise_measurement(view: ComparisonView) -> str:
    texts = [noise.text for noise in view.noise.values()]
    return f"What rounding alone does to a map, measured: {texts[0]}." if texts else "Not measured."


def _distribution(view: ComparisonView) -> Markup:
    """How the differences of many images are spread."""
    if len(view.images) < 2 or not map_methods(view):
        return Markup()
    points = Heading("same maximum", f"The share of pictures of which this holds. {MAP_FIGURES['pointing'].meaning}")
    names = ["median", "90 %", "worst"]
    columns = [(figure, name) for figure in _SPREAD_FIGURES for name in names]
    headings = [f"{MAP_FIGURES[figure].short}, {name}" for figure, name in columns]
    header: list[Heading | str] = ["method", "models", *headings, points]
    rows = [
        [
            pair.method,
            _pair_name(pair),
            *(_quantile(pair, *column) for column in columns),
            _quantile(pair, "pointing", "mean"),
        ]
        for pair in map_pairs(view)
    ]
    text = "Each point is a picture; its relative L2 difference from left to right."
    key = _key(noise="by rounding", limit="limit")
    chart = strips(
        "Relative L2 difference of each picture, by method and pair", [_lane(view, pair) for pair in map_pairs(view)]
    )
    return section("All pictures", element("p", text, class_="quiet"), key, chart, table("Quantiles", header, rows))


def _quantile(pair: PairView, figure: str, name: str) -> str:
    digits = ".3f" if figure == "pointing" else MAP_FIGURES[figure].digits
    return f"{pair.quantiles[figure][name]:{digits}}" if figure in pair.quantiles else "-"


def _lane(view: ComparisonView, pair: PairView) -> Lane:
    points = [(figures["relative_l2"], view.images[n].title, n) for n, figures in enumerate(pair.images)]
    noise = view.noise.get(pair.method)
    by_rounding = noise.figures["relative_l2"] if noise else None
    return Lane(f"{pair.method}, {_pair_name(pair)}", points, by_rounding, pair.limit)


def _cases(view: ComparisonView) -> Markup:
    """The images, those first whose maps differ most against what rounding explains."""
    count = len(view.images)
    limits = {pair.method: pair.limit for pair in view.pairs}

    def severity(n: int) -> float:
        apart = [distance / limits[method] for method, distance in view.images[n].distances.items()]
        judged = [_SEVERITY[judgement] for judgement in view.images[n].judgements.values()] if view.attacks else []
        return max([*apart, *judged], default=0.0)

    order = sorted(range(count), key=severity, reverse=True) if count > _OPENED else list(range(count))
    within = room(count)
    blocks = [case(view, n, within, opened=place < _OPENED) for place, n in enumerate(order)]
    sorted_by = [element("p", "Those first that differ most.", class_="quiet")] if count > _OPENED else []
    return section("Pictures" if count > 1 else "The picture", *sorted_by, *blocks)


def _notes(view: ComparisonView) -> Markup:
    notes = [f"{run.method} on {run.model}: {note}" for run in view.runs for note in run.notes]
    return section("Notes", element("ul", *(element("li", note) for note in notes))) if notes else Markup()


def _provenance(view: ComparisonView) -> Markup:
    """What is needed to repeat it, by model; the times are those of each method."""
    header = ["model", "method", "layer", "time", "computed by", "digest of the model", "preprocessing", "date"]
    return section("Provenance", table("Provenance", header, [_provenance_row(run) for run in view.runs]))


def _provenance_row(run: RunView) -> list[str]:
    provenance: Any = run.provenance
    return [
        run.model,
        run.method,
        ", ".join(run.layers) + (" (default)" if run.default_layer else ""),
        f"{provenance['seconds']:.3f} s",
        ", ".join(f"{name} {version}" for name, version in provenance["versions"].items()),
        str(provenance["model"]),
        ", ".join(f"{k} {v}" for k, v in provenance["preprocess"].items())
        + " (the default)" * (provenance.get("preprocess_from") == "default"),
        str(provenance["date"]),
    ]
