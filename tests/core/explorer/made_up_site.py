"""A whole made-up site after `core/explorer/web/src/data.ts`, for tests of pages in a browser.

`python -m tests.core.explorer.made_up_site FOLDER` writes one to look at; `--layers 2000 --images 100000` a large one.
"""

import argparse
from base64 import b64encode
from functools import cached_property
from importlib.resources import files
from pathlib import Path

import numpy as np
from crosslens.explorer.data_folder import DataFolder
from crosslens.explorer.data_urls import encoded_floats, picture_sheet, picture_url

from . import made_up_network, made_up_pages

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
HOSTILE = (SCRIPT, IMAGE, "</script><!--", "javascript:alert(1)", "{{7*7}} ${7*7} &lt;b&gt;")
THUMBNAIL, ACROSS, PER_SHEET, CHUNK = 32, 16, 256, 1000
"""As small as a test needs, so that a site has more than one sheet."""


class MadeUp:
    """Numbers and pictures drawn from one seed."""

    def __init__(self, images=300, blocks=6, classes=12, units=24):
        self.rng = np.random.default_rng(0)
        self.images = images
        self.classes = [
            "tabby cat",
            "Egyptian cat",
            *HOSTILE[:2],
            *(f"class number {k}" for k in range(classes - 5)),
            "catamaran",
        ]
        self.network = made_up_network.layers_and_graph(blocks, units, self.rng)
        self.pictured = [0, 1, 2, min(7, images - 1)]

    def picture(self, size, hue=None):
        """A soft gradient with a disc: (size, size, 3), uint8; no two alike."""
        y, x = np.mgrid[:size, :size] / size
        hue = self.rng.uniform(size=3) if hue is None else np.asarray(hue)
        disc = ((y - self.rng.uniform(0.3, 0.7)) ** 2 + (x - self.rng.uniform(0.3, 0.7)) ** 2 < 0.06)[..., None]
        pixels = 0.25 + 0.5 * hue * (x * self.rng.uniform() + y * self.rng.uniform())[..., None]
        return np.uint8(255 * np.clip(np.where(disc, 1 - hue, pixels), 0, 1))

    def url(self, size=64):
        return picture_url(self.picture(size))

    def sheet(self, count, size=32, across=8):
        return picture_sheet([self.picture(size) for _ in range(count)], across=across)

    @cached_property
    def shared_sheet(self):
        """Crops of units that no test looks at, drawn once."""
        return self.sheet(12)

    def veil(self, size=32):
        """A disc of one colour, transparent around it."""
        pixels = self.picture(size)
        y, x = np.mgrid[:size, :size] / size
        opaque = 200 * ((y - self.rng.uniform()) ** 2 + (x - self.rng.uniform()) ** 2 < 0.1)
        return picture_url(np.dstack([pixels, np.uint8(opaque)]))

    def histogram(self, bins=24, low=0):
        counts = np.random.default_rng(self.rng.integers(1000)).poisson(400 * np.exp(-np.linspace(0, 3, bins)))
        return {"edges": np.linspace(low, 6, bins + 1).round(3).tolist(), "counts": counts.tolist()}


def site(made):
    layers, _ = made.network
    return {
        "title": f"made-up network {SCRIPT}",
        "version": "0.0",
        "model": {
            "name": f"made-up {IMAGE}",
            "backend": "onnx",
            "input": [3, 64, 64],
            "output": "logits of 12 classes",
            "preprocess": "imagenet",
            "parameters": sum(line["parameters"] for line in layers),
            "flops": sum(line["flops"] or 0 for line in layers),
        },
        "data": {"name": f"pictures {SCRIPT}", "images": made.images, "failed": 1},
        "layers": layers,
        "classes": made.classes,
        "thumbnails": {"side": THUMBNAIL, "across": ACROSS, "per_sheet": PER_SHEET},
        "images": {"count": made.images, "chunk": CHUNK, "labels": ["cat", "dog", SCRIPT]},
        "pictures": made.pictured,
        "concepts": True,
        "points": [
            {"title": "relu_2", "layer": 3, "quality": {"trustworthiness": 0.97}, "notes": []},
            {
                "title": f"pool {IMAGE}",
                "layer": len(layers) - 3,
                "quality": {"trustworthiness": 0.95},
                "notes": [SCRIPT],
            },
        ],
        "atlas": [{"layer": 3, "cells": 9}],
        "beside": ["model a", f"model b {SCRIPT}"],
        "commands": {
            "units": "crosslens explore model.onnx photos/ -o site/ --units all",
            "pictures": f"crosslens explore model.onnx photos/ --pictures 200 {SCRIPT}",
            "data": "crosslens explore model.onnx photos/ -o site/",
            "points": "crosslens sweep model.onnx photos/ -m embedding -o survey/",
            "atlas": "crosslens sweep model.onnx photos/ -m activation_atlas -o survey/",
            "concepts": "crosslens sweep model.onnx photos/ -m dissect -o survey/",
            "beside": "crosslens explore a.onnx --beside b.onnx",
        },
        "notes": [f"a note {SCRIPT}"],
    }


def image_chunks(made):
    for start in range(0, made.images, CHUNK):
        stop = min(start + CHUNK, made.images)
        ids = [f"folder/{SCRIPT if n == 5 else IMAGE if n == 6 else 'photo'}_{n:05}.png" for n in range(start, stop)]
        yield (
            f"images/{start // CHUNK}",
            {
                "start": start,
                "ids": ids,
                "label": [n % 4 - 1 for n in range(start, stop)],
                "predicted": [n % len(made.classes) for n in range(start, stop)],
                "score": [None if n == 4 else round(1 / (1 + n % 7), 3) for n in range(start, stop)],
                "failure": {"4": f"cannot be read {SCRIPT}"} if start == 0 else {},
            },
        )


def thumbnails(made):
    pool = [made.picture(THUMBNAIL) for _ in range(PER_SHEET)]
    for start in range(0, made.images, PER_SHEET):
        count = min(PER_SHEET, made.images - start)
        yield f"thumbnails/{start // PER_SHEET}", {"image": picture_sheet(pool[:count], across=ACROSS)["image"]}


def points(made):
    angle = made.rng.uniform(0, 2 * np.pi, made.images)
    centre = np.arange(made.images) % len(made.classes)
    for place, spread in enumerate((0.12, 0.25)):
        x = 0.6 * np.cos(centre) + spread * np.cos(angle) * made.rng.uniform(size=made.images)
        y = 0.6 * np.sin(centre) + spread * np.sin(angle) * made.rng.uniform(size=made.images)
        x[min(4, made.images - 1)] = np.nan
        page = {"x": encoded_floats(x), "y": encoded_floats(y), "strongest": None, "count": 3}
        if place == 0:  # unit 7 stands out in the images of class 2, the others are drawn at random
            units = np.stack([made.rng.permutation(7)[:3] for _ in range(made.images)])
            units[centre == 2, 0] = 7
            page["strongest"] = b64encode(units.astype("<u2").tobytes()).decode()
        yield f"points/{place}", {**page, "quality": {"neighbourhood_hit": 0.5}, "notes": [SCRIPT]}


def write(folder, **sizes):
    """A site of whole pages in a folder, index.html and app/ with it; gives back what it was made of."""
    folder = Path(folder)
    made = MadeUp(**sizes)
    data = DataFolder(folder / "data")
    leaves = {"site": site(made), "network": made.network[1]}
    for pages in (image_chunks, thumbnails, points, made_up_pages.leaves):
        leaves.update(pages(made))
    for key, value in leaves.items():
        data.write(key, value, "made up")
    write_app(folder)
    return made


def write_bare(folder, network=None):
    """A site of a network alone, lines and graph: no images, no pages of units, no points, nothing beside it."""
    made = MadeUp(images=2, blocks=2)
    made.network = network or made.network
    nothing = {"data": None, "thumbnails": None, "images": None, "beside": None, "concepts": False}
    lines = [line | {"page": False, "dead": None, "pictured": [], "attributed": []} for line in made.network[0]]
    bare = site(made) | nothing | {name: [] for name in ("pictures", "points", "atlas", "classes", "notes")}
    data = DataFolder(Path(folder) / "data")
    data.write("site", bare | {"layers": lines}, "made up")
    data.write("network", made.network[1], "made up")
    write_app(Path(folder))


def write_app(folder):
    """index.html and app/, from the bundle."""
    bundle = files("crosslens") / "explorer/web/bundle"
    (folder / "app").mkdir(parents=True, exist_ok=True)
    for name in ("explorer.js", "explorer.css", "LICENSES.txt"):
        (folder / "app" / name).write_bytes((bundle / name).read_bytes())
    (folder / "index.html").write_text((bundle / "page.html").read_text().replace("$title", "made up"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--layers", type=int, default=50)
    arguments = parser.parse_args()
    write(arguments.folder, images=arguments.images, blocks=arguments.layers // 7)
