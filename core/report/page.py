"""The page: overview, pictures, figures, charts, the walk through the layers, provenance."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import unescape
from importlib.resources import files
from re import search
from string import Template
from typing import TYPE_CHECKING, Any

from ..comparison.compare import Comparison
from ..comparison.predictions import alike
from .cases import case
from .charts import Lane, curve, strips
from .markup import Markup, anchor, element, joined, section
from .pictures import room
from .tables import Cell, Heading, table
from .verdict import FIGURES, bound, judged, mark, verdict, written

if TYPE_CHECKING:
    from ..alignment.divergence import Divergence

__all__ = ["page"]

_OPENED = 3
"""So many pictures are open from the start."""


def page(comparison: Comparison) -> str:
    """A comparison as one HTML file that needs nothing else."""
    title = f"{', '.join(comparison.methods)} on {', '.join(comparison.models)}"
    figures = [_figures(comparison), _distribution(comparison), _layers(comparison)]
    cases = [_cases(comparison)]
    inner = [*cases, *figures] if _count(comparison) <= _OPENED else [*figures, *cases]
    parts = [_pictures(comparison), *inner, _notes(comparison), _provenance(comparison)]
    body = joined(_overview(comparison), _contents(parts), *parts)
    script = _file("page.js")
    filled = {"title": joined(title), "style": _file("page.css"), "body": body, "script": script}
    return Template(_file("page.html")).substitute(filled, digest=_digest(script))


def _contents(parts: Sequence[Markup]) -> Markup:
    """Links to the parts that there are."""
    titles = [unescape(found[1]) for part in parts if (found := search("<h2>(.*?)</h2>", part))]
    return element("nav", *(element("a", t, href=f"#{anchor(t)}") for t in titles), aria_label="Parts of this page")


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    """What the page's policy lets run: this script and no other."""
    return b64encode(sha256(f"\n{script}\n".encode()).digest()).decode()


def _count(comparison: Comparison) -> int:
    """How many pictures were explained or made."""
    return max(len(result.images) for result in comparison.results.values())


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


def _pictures(comparison: Comparison) -> Markup:
    """A row for each picture: what each model says, and how far the maps are apart."""
    if not comparison.predictions:
        return Markup()
    scores = "score" in {p.unit for p in comparison.predictions}
    apart = Heading(
        "score apart" if scores else "probability apart",
        "How far the models' scores lie apart."
        if scores
        else "How far the models' probabilities of the class that the first one predicts lie apart.",
    )
    header: list[Heading | str] = [
        "picture",
        *comparison.models,
        "same score" if scores else "same class",
        apart,
        *(_distance(name) for name in comparison.methods),
    ]
    worst = _distances(comparison)
    rows = [_row(comparison, n, worst.get(n, {})) for n in range(_count(comparison))]
    tall = "tall" if len(rows) > 12 else ""
    return section("Predictions", table("Predictions", header, rows, tall))


def _distance(method: str) -> Heading:
    return Heading(
        method, f"The largest relative L2 difference of two models' maps of {method}. {FIGURES['relative_l2'].meaning}"
    )


def _distances(comparison: Comparison) -> dict[int, dict[str, float]]:
    """By image and method, the largest relative L2 difference of any pair."""
    found: dict[int, dict[str, float]] = {}
    for row in comparison.images:
        of = found.setdefault(row["image"], {})
        of[row["method"]] = max(of.get(row["method"], 0.0), row["relative_l2"])
    return found


def _row(comparison: Comparison, n: int, distances: dict[str, float]) -> list[Cell | str]:
    said = [
        Cell(joined(p.labels[n].partition(",")[0], " ", element("b", f"{p.probabilities[n]:.4f}")), p.probabilities[n])
        for p in comparison.predictions
    ]
    asked = [p.of_first[n] for p in comparison.predictions if p.of_first]
    spread = max(asked) - min(asked) if asked else float("nan")
    same = alike(comparison.predictions, n)
    link = element("a", comparison.title(n), href=f"#picture-{n}")
    figures = [Cell(f"{distances[m]:.2e}", distances[m]) if m in distances else Cell("-") for m in comparison.methods]
    return [Cell(link), *said, Cell(mark("agree" if same else "apart")), Cell(f"{spread:.1e}", spread), *figures]


def _layers(comparison: Comparison) -> Markup:
    """The walk through the layers of the first model and of each other one."""
    if not comparison.divergences:
        return Markup()
    walks = [part for walk in comparison.divergences for part in _walk(walk)]
    key = _key(error="error so far", own="added by the layer", noise="by rounding")
    return section("Layer by layer", key, *walks)


def _key(**lines: str) -> Markup:
    """What each kind of line in a chart is."""
    return element("p", *(element("span", text, class_=f"key {name}") for name, text in lines.items()), class_="quiet")


def _walk(walk: "Divergence") -> list[Markup]:
    header = ["layer", f"in {walk.models[1]}", "error so far", "added by the layer", "by rounding", "correlation"]
    rows: list[list[Cell | str]] = [
        [s.a, s.b, *(Cell(f"{v:.2e}", v) for v in (s.error, s.own, s.noise)), f"{s.agreement:.6f}"] for s in walk.steps
    ]
    name = " and ".join(walk.models)
    inner = table(f"Layers of {name}", header, rows, "tall")
    shown = element("details", element("summary", f"All {len(rows)} pairs of layers as a table"), inner)
    fine = "verdict agree" if walk.first is None else "verdict apart"
    return [element("h3", name), element("p", walk.text, class_=fine), curve(walk), shown]


def _figures(comparison: Comparison) -> Markup:
    """Every figure of every pair, the worst of the pictures; what each means is one focus away."""
    noise = Heading("L2 by rounding", _how(comparison))
    header: list[Heading | str] = [
        "method",
        "models",
        *(Heading(f.short, f.meaning) for f in FIGURES.values()),
        noise,
        "agree",
    ]
    rows: list[list[Cell | str]] = []
    for row in comparison.rows():
        found = comparison.noise.get(row["method"])
        expected = Cell(f"{found.figures['relative_l2']:.2e}") if found else Cell("-")
        rows.append([row["method"], " − ".join(row["models"]), *written(row), expected, Cell(mark(judged(row, found)))])
    meanings = [joined(element("dt", f.short), element("dd", f.meaning)) for f in FIGURES.values()]
    meanings.append(joined(element("dt", noise.text), element("dd", noise.meaning)))
    legend = element("details", element("summary", "What the figures mean"), element("dl", *meanings))
    of = "Of each figure the worst of all pictures. " if _count(comparison) > 1 else ""
    return section(
        "Figures", element("p", of + _how(comparison), class_="quiet"), table("Figures", header, rows), legend
    )


def _how(comparison: Comparison) -> str:
    told = [noise.text for noise in comparison.noise.values()]
    return f"What rounding alone does to a map, measured: {told[0]}." if told else "Not measured."


def _distribution(comparison: Comparison) -> Markup:
    """How the differences of many pictures are spread."""
    if _count(comparison) < 2:
        return Markup()
    lanes = [_lane(comparison, row["method"], row["models"]) for row in comparison.rows()]
    wanted = ("max_relative_difference", "relative_l2", "rank_correlation", "ssim", "top_k")
    points = Heading("same maximum", f"The share of pictures of which this holds. {FIGURES['pointing'].meaning}")
    names = ["median", "90 %", "worst"]
    header: list[Heading | str] = [
        "method",
        "models",
        *(f"{FIGURES[w].short}, {n}" for w in wanted for n in names),
        points,
    ]
    rows = [
        [
            row["method"],
            " − ".join(row["models"]),
            *(_quantile(row, w, n) for w in wanted for n in names),
            _quantile(row, "pointing", "mean"),
        ]
        for row in comparison.quantiles()
    ]
    text = "Each point is a picture; its relative L2 difference from left to right."
    key = _key(noise="by rounding", limit="limit")
    chart = strips("Relative L2 difference of each picture, by method and pair", lanes)
    return section("All pictures", element("p", text, class_="quiet"), key, chart, table("Quantiles", header, rows))


def _quantile(row: dict[str, Any], figure: str, name: str) -> str:
    digits = ".3f" if figure == "pointing" else FIGURES[figure].digits
    return f"{row[figure][name]:{digits}}" if figure in row else "-"


def _lane(comparison: Comparison, method: str, models: list[str]) -> Lane:
    rows = [row for row in comparison.images if row["method"] == method and row["models"] == models]
    noise = comparison.noise.get(method)
    points = [(row["relative_l2"], comparison.title(row["image"]), row["image"]) for row in rows]
    expected = noise.figures["relative_l2"] if noise else None
    return Lane(f"{method}, {' − '.join(models)}", points, expected, bound(noise))


def _cases(comparison: Comparison) -> Markup:
    """The pictures, those first whose maps differ most against what rounding explains."""
    count = _count(comparison)
    distances = _distances(comparison)
    limits = {method: bound(comparison.noise.get(method)) for method in comparison.methods}

    def severity(n: int) -> float:
        return max((v / limits[m] for m, v in distances.get(n, {}).items()), default=0.0)

    order = sorted(range(count), key=severity, reverse=True) if count > _OPENED else list(range(count))
    within = room(count)
    blocks = [case(comparison, n, within, opened=place < _OPENED) for place, n in enumerate(order)]
    sorted_by = [element("p", "Those first whose maps differ most.", class_="quiet")] if count > _OPENED else []
    return section("Pictures" if count > 1 else "The picture", *sorted_by, *blocks)


def _notes(comparison: Comparison) -> Markup:
    said = [f"{method} on {model}: {note}" for (method, model), r in comparison.results.items() for note in r.notes]
    return section("Notes", element("ul", *(element("li", note) for note in said))) if said else Markup()


def _layer(provenance: Mapping[str, Any]) -> str:
    return ", ".join(provenance.get("layers", ())) + (" (default)" if provenance.get("default_layer") else "")


def _provenance(comparison: Comparison) -> Markup:
    """What is needed to repeat it, by model; the times are those of each method."""
    rows = [
        [
            model,
            method,
            _layer(result.provenance),
            f"{result.provenance['seconds']:.3f} s",
            ", ".join(f"{name} {version}" for name, version in result.provenance["versions"].items()),
            str(result.provenance["model"]),
            ", ".join(f"{k} {v}" for k, v in result.provenance["preprocess"].items()),
            str(result.provenance["date"]),
        ]
        for (method, model), result in comparison.results.items()
    ]
    header = ["model", "method", "layer", "time", "computed by", "digest of the model", "preprocessing", "date"]
    return section("Provenance", table("Provenance", header, rows))
