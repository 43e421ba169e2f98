"""The block of one image in the page: the maps of each method side by side, where they differ, and how much."""

from collections.abc import Iterator

from ..comparison.pictures import Difference, Drawing, MethodPictures, Scale
from ..comparison.view import ComparisonView
from .markup import Markup, element
from .pictures import Room, coloured_difference, coloured_map, image_uri, scale_bar
from .tables import mark

__all__ = ["case"]


def case(view: ComparisonView, index: int, within: Room, *, opened: bool) -> Markup:
    """One image, in a block that opens on demand.

    Args:
        view: the comparison.
        index: which of its images.
        within: how large its pictures may be.
        opened: whether the block is open from the start.
    """
    title = view.images[index].title
    pictures = view.pictures(index)
    height, width = pictures.image.shape[:2]
    photo = "" if pictures.is_made else f"; --photo: url({image_uri(pictures.image, within)})"
    original = Markup() if pictures.is_made else _photo(title, _predictions(view, index))
    methods = [_method(view, index, each, within) for each in pictures.methods]
    summary = element("summary", element("h3", title), element("span", *_judgements(view, index), class_="quiet"))
    return element(
        "details",
        summary,
        element("div", original, *methods, id_=f"picture-{index}", style=f"--aspect: {width} / {height}{photo}"),
        class_="case",
        open="open" if opened else None,
    )


def _predictions(view: ComparisonView, index: int) -> str:
    predictions = dict.fromkeys(f"{p.labels[index]}, {p.probabilities[index]:.2f}" for p in view.predictions)
    return "as the models see it" + (f": {' / '.join(predictions)}" if predictions else "")


def _photo(title: str, caption: str) -> Markup:
    stack = element("div", element("i", class_="photo"), class_="stack", role="img", aria_label=f"the picture {title}")
    return element("div", element("figure", stack, element("figcaption", caption)), class_="original")


def _judgements(view: ComparisonView, index: int) -> Iterator[Markup]:
    """For each method, how its pairs of maps of this image are judged."""
    for method, judgement in view.images[index].judgements.items():
        yield element("span", f"{method} ", mark(judgement), class_="chip")


def _method(view: ComparisonView, index: int, pictures: MethodPictures, within: Room) -> Markup:
    """One method's row: the maps side by side, then the differences of each pair."""
    heading = element("h4", pictures.method)
    if pictures.kind == "values":
        return element("article", heading, element("p", "These values are not maps: see the figures."))
    if pictures.kind == "attack":
        return _attacked(view, index, pictures, within)
    maps = [_map(view.images[index].title, pictures, each, within) for each in pictures.drawings]
    bar = _scale_bar(pictures.scale) if pictures.kind == "maps" else Markup()
    differences = [_difference(pictures.method, each, within) for each in pictures.differences]
    where = "Where they differ" + ", signs included" * pictures.scale.grey
    return element(
        "article",
        heading,
        element("p", _parameters(view, pictures.method), class_="quiet"),
        element("div", *maps, class_="maps row"),
        bar,
        element("details", element("summary", where), element("div", *differences, class_="maps"), open="open"),
    )


def _attacked(view: ComparisonView, index: int, pictures: MethodPictures, within: Room) -> Markup:
    """For each model the change of the image and its picture."""
    shown = [_made(view.images[index].title, each, within) for each in pictures.drawings]
    quiet = element("p", _parameters(view, pictures.method), class_="quiet")
    return element("article", element("h4", pictures.method), quiet, element("div", *shown, class_="maps"))


def _made(title: str, drawing: Drawing, within: Room) -> Markup:
    img = element("img", src=image_uri(drawing.values, within), alt=f"{title}: {drawing.model}", decoding="async")
    return element("figure", element("div", img, class_="stack exact"), element("figcaption", drawing.model))


def _map(title: str, pictures: MethodPictures, drawing: Drawing, within: Room) -> Markup:
    """A map over its image, or an image that the method made, by the model's name."""
    if pictures.kind == "images":
        under, uri = [], image_uri(drawing.values, within)
    else:
        under, uri = [element("i", class_="photo grey")], coloured_map(drawing.values, pictures.scale, within)
    alt = f"{pictures.method} on {drawing.model}, {title}"
    img = element("img", src=uri, alt=alt, decoding="async", loading="lazy")
    stack = element("div", *under, img, class_="stack")
    return element("figure", stack, element("figcaption", drawing.model), data_model=drawing.model)


def _parameters(view: ComparisonView, method: str) -> str:
    run = next(run for run in view.runs if (run.method, run.model) == (method, view.models[0]))
    values = [f"{name} {value}" for name, value in run.parameters.items() if value is not None]
    objective = str(run.provenance.get("objective", "the network"))
    one_each = len(view.images) > 1 and "," in objective
    return ", ".join(["of each picture's own class" if one_each else f"of {objective}", *values])


def _scale_bar(scale: Scale) -> Markup:
    least = f"least ({scale.start:.3g})" if scale.start else "nothing"
    ends = ("against", "for the target") if scale.signed else (least, "most")
    alt = f"colour scale from {-scale.limit if scale.signed else scale.start:.3g} to {scale.limit:.3g}"
    bar = element("img", src=scale_bar(scale), alt=alt, title=f"{alt}; all models share it")
    return element("p", element("span", ends[0]), bar, element("span", f"{ends[1]} ({scale.limit:.3g})"), class_="bar")


def _difference(method: str, difference: Difference, within: Room) -> Markup:
    a, b = difference.models
    detail = _magnification(difference.magnification)
    uri = coloured_difference(difference, within)
    img = element("img", src=uri, alt=f"{method}: {a} minus {b}, {detail}", decoding="async", loading="lazy")
    caption = element("figcaption", f"{a} − {b}: ", element("span", detail, class_="quiet"))
    return element("figure", element("div", img, class_="stack exact"), caption)


def _magnification(times: float) -> str:
    """How much stronger the colours of a difference are than those of the maps that it is of."""
    if not times:
        return "no difference"
    return f"magnified {float(f'{times:.2g}'):,.{0 if times >= 10 else 1}f} times"
