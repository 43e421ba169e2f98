"""The part of the page about attacks: success, distance and queries of each model and picture, and what they prove."""

from collections.abc import Iterator

from ..comparison.attacks import AttackRun, AttackView
from ..comparison.figures import ATTACK_FIGURES, format_figures
from ..comparison.view import ComparisonView, PairView
from .markup import Markup, element, section
from .tables import Cell, Heading, mark, table
from .transfer_page import caveats, disputes_table, matrix_table

__all__ = ["attack_sections", "map_methods", "map_pairs"]

WORDS = {"linf": "L-inf", "l2": "L2", "l1": "L1", "l0": "pixels"}


def map_methods(view: ComparisonView) -> list[str]:
    """The methods that are no attacks."""
    attacks = {attack.method for attack in view.attacks}
    return [method for method in view.methods if method not in attacks]


def map_pairs(view: ComparisonView) -> list[PairView]:
    """The pairs of models of methods that are no attacks."""
    methods = map_methods(view)
    return [pair for pair in view.pairs if pair.method in methods]


def attack_sections(view: ComparisonView) -> list[Markup]:
    """Each attack's figures; what they do not prove stands once."""
    parts = [part for attack in view.attacks for part in _attack(view, attack)]
    return [*parts, *([caveats()] if parts else [])]


def _attack(view: ComparisonView, attack: AttackView) -> Iterator[Markup]:
    name = attack.method
    yield section(f"Attack: {name}", _runs(attack), _pairs(view, attack), _images(view, attack))
    if attack.matrix:
        yield section(f"Transfer: {name}", *matrix_table(attack.transfer))
    if attack.transfer.dispute_rows():
        yield disputes_table(attack.transfer, f"Disputes: {name}")


def _runs(attack: AttackView) -> Markup:
    distance = f"median {WORDS.get(attack.norm, attack.norm)} distance"
    header: list[Heading | str] = [
        "model",
        "fooled",
        Heading("of all", "The share of the pictures that were fooled, and its Wilson interval at 95 %."),
        Heading(distance, "Of the pictures that fool, from their images in [0, 1]."),
        Heading("queries", "Forward passes, the mean over the pictures."),
        Heading("gradients", "Backward passes, the mean over the pictures."),
    ]
    return table(f"Attack {attack.method}", header, [_run_row(run) for run in attack.runs])


def _run_row(run: AttackRun) -> list[Cell | str]:
    count, (low, high) = len(run.success), run.interval
    share = run.fooled / count
    median = run.median_distance
    return [
        run.model,
        f"{run.fooled} of {count}",
        Cell(f"{share:.3f} ({low:.2f} to {high:.2f})", share),
        "-" if median is None else Cell(f"{median:.4g}", median),
        Cell(f"{sum(run.queries) / count:.1f}", sum(run.queries) / count),
        Cell(f"{sum(run.gradients) / count:.1f}", sum(run.gradients) / count),
    ]


def _pairs(view: ComparisonView, attack: AttackView) -> Markup:
    """Whether the models agree, picture by picture."""
    header: list[Heading | str] = [
        "models", "pictures alike", *(Heading(f.short, f.meaning) for f in ATTACK_FIGURES.values()), "agree",
    ]  # fmt: skip
    rows: list[list[Cell | str]] = []
    for pair in view.pairs:
        if pair.method == attack.method:
            alike = sum(figures["same_success"] == 1 for figures in pair.images)
            figures = format_figures(pair.worst, ATTACK_FIGURES)
            rows.append(
                [" − ".join(pair.models), f"{alike} of {len(pair.images)}", *figures, Cell(mark(pair.judgement))]
            )
    said = "Of each figure the worst of all pictures. Attacks by signs amplify rounding, so that pictures which fool "
    said += "alike may differ at every pixel: they are compared by what they do."
    return Markup(
        element("h3", "Two models at a time")
        + element("p", said, class_="quiet")
        + table(f"Agreement of {attack.method}", header, rows)
    )


def _images(view: ComparisonView, attack: AttackView) -> Markup:
    """A row for each picture: success, distance and queries on each model."""
    header: list[Heading | str] = ["picture", *(run.model for run in attack.runs), "alike"]
    rows: list[list[Cell | str]] = []
    for n, image in enumerate(view.images[: len(attack.runs[0].success)]):
        link = element("a", image.title, href=f"#picture-{n}")
        cells = [Cell(_image_cell(run, n), run.distance[n]) for run in attack.runs]
        rows.append([Cell(link), *cells, Cell(mark(image.judgements[attack.method]))])
    shown = table(f"Pictures of {attack.method}", header, rows, "tall" if len(rows) > 12 else "")
    return Markup(element("h3", "Picture by picture") + shown)


def _image_cell(run: AttackRun, n: int) -> str:
    fooled = f"fooled at {run.distance[n]:.4g}" if run.success[n] else "not fooled"
    return f"{fooled}, {run.queries[n]} queries"
