"""`lay_out`: rows as points by the name of a method, with its options."""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from ..arrays import Array
from ..errors import ParameterError, unknown_name
from .layout import Layout, Numbers
from .pca import pca, place_on_components
from .tsne import place_by_neighbours, tsne
from .umap import place_by_umap, umap

__all__ = ["LAYOUTS", "lay_out", "layout_from_saved"]

LAYOUTS: Mapping[str, Callable[..., Layout]] = {"pca": pca, "tsne": tsne, "umap": umap}
"""The layouts there are, by name."""
_PLACING: Mapping[str, Callable[[Layout, Numbers], Numbers]] = {
    "pca": place_on_components,
    "tsne": place_by_neighbours,
    "umap": place_by_umap,
}


def lay_out(rows: Array, name: str = "tsne", dimensions: int = 2, **options: Any) -> Layout:
    """A point for each row.

    Args:
        rows: (N, columns); rows with NaN are left out, and their points are NaN.
        name: "pca", "tsne" or "umap".
        dimensions: of the points.
        options: of `pca`, `tsne` or `umap`, such as seed=0 and perplexity=30.

    Raises:
        ParameterError: no such layout or option, or what the layout says.
    """
    if name not in LAYOUTS:
        raise ParameterError(unknown_name("layout", name, LAYOUTS))
    known = [each for each in signature(LAYOUTS[name]).parameters if each not in ("rows", "dimensions")]
    for option in options:
        if option not in known:
            raise ParameterError(unknown_name("option", option, known, of=f"the layout {name}"))
    return LAYOUTS[name](rows, dimensions, **options)


def layout_from_saved(saved: Mapping[str, Any]) -> Layout:
    """The layout that gave `Layout.saved()`."""
    return Layout(**saved, placing=_PLACING[saved["name"]] if saved["state"] else None)
