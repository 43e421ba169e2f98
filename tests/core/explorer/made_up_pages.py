"""The pages of a made-up site's layers, units, pictures, atlas and second model."""

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'

RECTIFIED = 3
"""The layer whose examples are values of the one before it."""


def leaves(made):
    pages = [line for line in made.network[0] if line["page"]]
    with_pages = [*pages[:12], shown_layers(pages)[2], *pages[-2:]]
    for line in pages:
        line["page"] = line in with_pages
    for line in with_pages:
        yield f"layers/{line['id']}", layer_page(made, line)
        yield from unit_leaves(made, line, pages)
    for index in made.pictured:
        yield f"pictures/{index}", picture_page(made, index, pages)
    found = [["ear", "part", [[3, 1, 0.2], [3, 9, 0.1]]], [SCRIPT, "object", [[2, 0, 0.1]]]]
    yield "concepts", {"concepts": [dict(zip(("concept", "category", "units"), row, strict=True)) for row in found]}
    yield "atlas/0", atlas(made)
    yield "beside", beside(made, pages)


def shown_layers(pages):
    """Those of a picture's page, six or a few more; the second and the third have a dictionary."""
    return pages[:: max(1, len(pages) // 6)]


def layer_page(made, line):
    count, rng = line["units"], made.rng
    mean = rng.exponential(1, count).round(4)
    return {
        "id": line["id"],
        "looked_at": looked_at(made, line),
        "figures": {"mean": float(mean.mean()), "zeros": 0.41, "lifetime_sparsity": 0.23, "largest": None},
        "columns": {
            "mean": mean.tolist(),
            "maximum": [None if unit == 3 else float(mean[unit] * 4) for unit in range(count)],
            "dead": [unit % 9 == 5 for unit in range(count)],
            "concept": [["ear", "fur", SCRIPT, None][unit % 4] for unit in range(count)],
            "iou": rng.uniform(0, 0.3, count).round(4).tolist(),
            "detector": [unit % 5 == 0 for unit in range(count)],
        },
        "units": made.sheet(count, 32),
        "shown": [["visualisation", "example"][min(unit // 4, 1)] for unit in range(count - 1)]
        + ["" if line["id"] == RECTIFIED else "example"],
        "filters": {"sheet": made.sheet(count, 7), "units": None, "title": f"7 x 7 kernels {SCRIPT}"},
        "receptive_field": [11, 11],
        "notes": [f"a note {IMAGE}"],
    }


def looked_at(made, line):
    """What a rectifier reads, of which the examples are then."""
    return made.network[0][line["id"] - 1]["name"] if line["id"] == RECTIFIED else ""


def unit_leaves(made, line, pages):
    for unit in range(line["units"]):
        yield f"units/{line['id']}/{unit}", unit_page(made, line, unit, pages)
    for unit in line["pictured"]:
        yield (
            f"visualisations/{line['id']}/{unit}",
            {
                "positive": made.url(48),
                "negative": made.url(48),
                "diversity": [made.url(48) for _ in range(4)],
                "values": {"positive": 12.5, "negative": None},
                "settings": f"112 px, 64 steps {SCRIPT}",
            },
        )
    for unit in line["attributed"]:
        yield f"attributions/{line['id']}/{unit}", {"sheet": made.sheet(12, 32), "method": "guided_backprop"}


def unit_page(made, line, unit, pages):
    items = [
        {
            "slot": slot,
            "image": slot * 3 % made.images,
            "value": 9 - slot / 2,
            "rectangle": [0.1, 0.2, 0.5, 0.6],
            "place": [0.2, 0.5],
        }
        for slot in range(12)
    ]
    kinds = ("most", "slightly_positive", "slightly_negative", "least")
    others = [n for n in range(min(6, line["units"])) if n != unit]
    link = {"layer": pages[0]["id"], "unit": 1, "weight": -0.25, "norm": 0.5}
    return {
        "layer": line["id"],
        "unit": unit,
        "statistics": {"mean": 0.51, "maximum": 8.2, "zeros": 0.4, "dead": False, "kurtosis": None},
        "examples": {
            "crops": made.sheet(12, 32) if unit < 4 else made.shared_sheet,
            "by": "activation",
            "kinds": [{"kind": kind, "items": items[3 * k : 3 * k + 3]} for k, kind in enumerate(kinds)],
        },
        "histogram": made.histogram(),
        "before": made.histogram(low=-3),
        "concepts": [{"concept": SCRIPT, "category": "part", "iou": 0.21, "null_iou": 0.02, "detector": True}],
        "nearest": [{"unit": n, "likeness": 0.9 - 0.2 * n} for n in others],
        "nearest_by": "kernels",
        "reads": [link, link | {"unit": 2, "weight": 0.125}],
        "read_by": [link | {"layer": pages[-1]["id"], "unit": 0, "weight": 0.75}],
    }


def picture_page(made, index, pages):
    shown = [line["id"] for line in shown_layers(pages)]
    layer = made.network[0][shown[1]]
    return {
        "index": index,
        "image": made.url(128),
        "width": 128,
        "height": 128,
        "prediction": [{"class": k, "name": made.classes[k], "score": 0.6 / (k + 1)} for k in range(4)],
        "maps": [
            {"method": method, "target": made.classes[0], "image": made.url(128), "note": SCRIPT if k else ""}
            for k, method in enumerate(("grad_cam", "guided_backprop", "occlusion"))
        ],
        "strongest": [
            {
                "layer": line,
                "units": [
                    {"unit": u, "value": 5.5 - u, "place": [0.3, 0.2 + u / 5] if u else None, "score": 3.1 - u / 2}
                    for u in range(4)
                ],
            }
            for line in shown
            if line != shown[2]
        ],
        "dictionary": [
            {
                "layer": line,
                "rows": side,
                "columns": side,
                "units": [[(p + k) % layer["units"] for k in range(3)] for p in range(side * side)],
                "values": [[4.5 - k - p / 10 for k in range(3)] for p in range(side * side)],
                "scores": [[6.5 - k for k in range(3)] for p in range(side * side)] if side == 4 else None,
            }
            for line, side in zip(shown[1:3], (8, 4), strict=True)
        ],
        "groups": {
            "layer": shown[1],
            "groups": [{"map": made.veil(), "units": [[1, 0.5], [2, 0.25]], "effect": 1.5 - k} for k in range(3)],
        },
        "neighbours": {"title": f"nearest in pool {SCRIPT}", "images": [1, 2, 3], "distances": [0.1, 0.2, 0.3]},
    }


def atlas(made):
    cells = [
        {"row": k // 3, "column": k % 3, "count": 9 + k, "classes": [[made.classes[k], 0.75]], "images": [k, k + 1]}
        for k in range(9)
    ]
    return {"layer": 3, "rows": 3, "columns": 3, "sheet": made.sheet(9, 48), "cells": cells}


def beside(made, pages):
    layers = [
        {"a": line["name"], "b": f"other.{line['name']}", "a_id": line["id"], "similarity": 1 - place / 20}
        for place, line in enumerate(pages[:8])
    ]
    maps = [{"method": "grad_cam", "a": made.url(64), "b": made.url(64), "distance": 0.12}]
    row = {"error": 1e-6, "added": 1e-7, "fault": False}
    return {
        "models": ["model a", f"model b {SCRIPT}"],
        "verdict": f"The two part at stage2 {IMAGE}.",
        "layers": layers,
        "units": [{"pair": place, "matches": [[0, 1, 0.99], [1, 0, 0.5]]} for place in range(3)],
        "divergence": {
            "text": f"first fault: {SCRIPT}",
            "rows": [{"a": line["a"], "b": line["b"], **row, "fault": n == 5} for n, line in enumerate(layers)],
        },
        "methods": [{"method": "grad_cam", "figures": {"cosine": 0.98, "ssim": 0.91}}],
        "pictures": [{"title": f"photo {SCRIPT}", "image": made.url(64), "maps": maps}],
    }
