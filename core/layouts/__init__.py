"""Layouts: rows of numbers as points in a plane or in space, and how far these can be trusted; of arrays alone."""

from .grid import snapped
from .lay_out import LAYOUTS, lay_out, layout_from_saved
from .layout import Layout
from .pca import pca
from .quality import Estimate, neighbourhood_hit, trustworthiness
from .steady import aligned, steady, unchanged
from .tsne import tsne
from .umap import umap

__all__ = [
    "LAYOUTS",
    "Estimate",
    "Layout",
    "aligned",
    "lay_out",
    "layout_from_saved",
    "neighbourhood_hit",
    "pca",
    "snapped",
    "steady",
    "trustworthiness",
    "tsne",
    "umap",
    "unchanged",
]
