"""What synthesis reaches, in figures, since no paper publishes any: python -m benchmarks.synthesis_quality [PART ...].

Parts, each of which writes its table into RESULTS.md: `neurons`, how far those in the middle of a fixed list
of channels rise over the noise that the pictures began with, and `channels`, how far the means of their maps do;
`classes`, how sure a network is of its own picture of a class, and where another ImageNet network ranks that class
(EfficientNet-Lite2, from a package of its own: see `networks.efficientnet_lite`); `backends`, how sure on each;
`facets`, how much pictures of one target differ; `spectrum`, how steeply the power falls with the frequency;
`inversion`, what is lost at which depth; `style`, what a loop written by hand in torch reaches in the same steps. Every
method but the last runs with its defaults, on onnxruntime where nothing else is said.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import crosslens
import numpy as np
import torch
from crosslens.arrays import as_numpy, softmax
from crosslens.introspection.default_layer import last_maps
from crosslens.introspection.layer_scales import last_of_scales
from crosslens.objective import channel, diversity, logit
from crosslens.operators import Resize

from .excited_units import MEAN, NEURON, starting_noise, units
from .networks.efficientnet_lite import efficientnet_lite2
from .photographs import photographs
from .results import put
from .spectra import slope
from .style_by_hand import Losses, style_transfer
from .synthesis_speed import CONTENT, RATE, STYLES, WEIGHTS, adam, photograph, trunk, wrapped

CLASSES = tuple(range(0, 1000, 83))
"""Thirteen, picked by their number, not by how well they do."""


def neurons() -> Iterator[str]:
    """How many neurons rise ten-fold, layer by layer."""
    return units(NEURON, "neurons")


def channels() -> Iterator[str]:
    """How many means over a whole map do."""
    return units(MEAN, "channels")


def classes() -> Iterator[str]:
    """Ranks by the network itself and by another one."""
    model, judge = crosslens.wrap("demo:lite0_onnx"), judge_of_another_make()
    noise = np.median(outputs(model, starting_noise(model.input.size)), axis=0)
    yield "| class | logit of noise | logit | probability | rank by EfficientNet-Lite2 | its probability |"
    yield "|--|--|--|--|--|--|"
    ranks = []
    for c in CLASSES:
        made = crosslens.method("class_maximisation")(model, None, c).images
        row, place = row_of_class(model.labels[c], c, noise[c], outputs(model, made)[0], outputs(judge, made)[0])
        ranks.append(place)
        yield row
    yield ""
    yield of_ranks(ranks)


def row_of_class(label: str, c: int, noise: float, mine: Any, its: Any) -> tuple[str, int]:
    """A line of the table, and the rank that the other network gives the class."""
    p, q = (softmax(scores[None])[0, c] for scores in (mine, its))
    name = label.partition(",")[0]
    return f"| {name} | {noise:.2f} | {mine[c]:.1f} | {p:.4f} | {rank(its, c)} | {q:.3f} |", rank(its, c)


def of_ranks(ranks: Sequence[int]) -> str:
    """What the table says of transfer."""
    first, five = (sum(place <= most for place in ranks) for most in (1, 5))
    return (
        f"Lite2 has the class first for {first} of {len(ranks)} pictures, among the first five for {five}; its median "
        f"rank is {np.median(ranks):g} of 1000, by chance 500."
    )


def judge_of_another_make() -> Any:
    """EfficientNet-Lite2."""
    return crosslens.wrap(efficientnet_lite2(), preprocess="lite", input_shape=(3, 260, 260))


def outputs(model: Any, pictures: Any) -> Any:
    """(N, K), for pictures of any size."""
    size = pictures.shape[-2], pictures.shape[-1]
    return as_numpy(model.forward(Resize(size, model.input.size).apply(as_numpy(pictures)))[crosslens.OUTPUT])


def rank(scores: Any, c: int) -> int:
    """1 for the highest."""
    return 1 + int((scores > scores[c]).sum())


def backends() -> Iterator[str]:
    """The first two classes, in three frameworks."""
    yield "| class | torch | keras | onnx |"
    yield "|--|--|--|--|"
    models = [crosslens.wrap(f"demo:lite0_{backend}") for backend in ("torch", "keras", "onnx")]
    for c in CLASSES[:2]:
        made = [crosslens.method("class_maximisation")(model, None, c).images for model in models]
        sure = [softmax(outputs(model, image))[0, c] for model, image in zip(models, made, strict=True)]
        yield f"| {models[0].labels[c].partition(',')[0]} | {' | '.join(f'{p:.4f}' for p in sure)} |"


def facets() -> Iterator[str]:
    """Four pictures of a class and of a channel after 64 steps, without and with the diversity's weight."""
    model = crosslens.wrap("demo:lite0_onnx")
    yield "| target | weight | objective, mean | cosine between pictures, mean |"
    yield "|--|--|--|--|"
    for target, name in ((logit(980), last_maps(model)), (channel("blocks.11.bn0", 168), "blocks.11.bn0")):
        for weight in (0.0, crosslens.method("diversity").weight):
            made = crosslens.method("diversity", weight=weight, layer=name, steps=64)(model, None, target).images
            alike = -diversity(name).value(model.forward(made, [name])).mean()
            value = target.value(model.forward(made, sorted(target.layers))).mean()
            yield f"| `{target}` | {weight:g} | {value:.3g} | {alike:.2f} |"


def spectrum() -> Iterator[str]:
    """Slopes of the pictures of the first four classes in two coordinates, and of photographs."""
    model = crosslens.wrap("demo:lite0_onnx")
    yield "| pictures | slope of the power spectrum | from the photographs' |"
    yield "|--|--|--|"
    real = [slope(image) for image in photographs(model.input.size)]
    yield f"| photographs | {np.mean(real):.2f} ({min(real):.2f} to {max(real):.2f}) | |"
    for name in ("fourier", "pixels"):
        method = crosslens.method("class_maximisation", parameterisation=name)
        found = [slope(as_numpy(method(model, None, c).images)[0]) for c in CLASSES[:4]]
        apart_by = abs(np.mean(found) - np.mean(real))
        yield f"| {name} | {np.mean(found):.2f} ({min(found):.2f} to {max(found):.2f}) | {apart_by:.2f} |"


def inversion() -> Iterator[str]:
    """Errors at a layer and in the picture, for the last rectified layer of each scale of two networks."""
    yield "| layer | error at the layer | over the mean distance of photographs there | error of the picture |"
    yield "|--|--|--|--|"
    for name, model, size in (
        ("VGG16", wrapped("onnx", 128)[0], (128, 128)),
        ("Lite0", crosslens.wrap("demo:lite0_onnx"), (224, 224)),
    ):
        photos = photographs(size)
        for place, layer in enumerate(last_of_scales(model, photos[:1])):
            made = crosslens.method("feature_inversion", layer=layer)(model, photos[1:2]).images
            at = as_numpy(model.forward(np.concatenate([photos, as_numpy(made)]), [layer])[layer])
            lost = np.linalg.norm(at[4] - at[1])
            pairs = [np.linalg.norm(at[i] - at[j]) for i in range(4) for j in range(i)]
            yield (
                f"| {name}, scale {place + 1} | {lost / np.linalg.norm(at[1]):.3f} | {lost / np.mean(pairs):.3f} | "
                f"{distance(made, photos[1:2]):.3f} |"
            )


def distance(a: Any, b: Any) -> float:
    """|a - b| over the distance of `b` from its mean."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b - b.mean(axis=(2, 3), keepdims=True)))


def style(steps: int = 20, size: int = 96) -> Iterator[str]:
    """Content and style loss, as the loop by hand computes them, of its picture and of ours."""
    content, look = photograph("astronaut", size), photograph("coffee", size)
    names = STYLES[:3]
    losses = Losses(trunk(), torch.from_numpy(content), torch.from_numpy(look), CONTENT, names)
    yield "| by | content loss | style loss |"
    yield "|--|--|--|"

    def row(by: str, picture: Any) -> str:
        with torch.no_grad():
            found = losses(torch.from_numpy(np.asarray(picture)))
        return f"| {by} | {float(found[0]):.4g} | {float(found[1]):.4g} |"

    yield row("the start", content)
    yield row("torch by hand", style_transfer(losses, torch.from_numpy(content), steps, RATE, **WEIGHTS)[0])
    for backend in ("torch", "onnx"):
        model, of_content, of_style = wrapped(backend, size)
        method = adam(steps, look, of_content, of_style[: len(names)])
        yield row(f"crosslens, {backend}", method(model, content).images)


PARTS: Mapping[str, Callable[[], Iterator[str]]] = {
    "neurons": neurons,
    "channels": channels,
    "classes": classes,
    "backends": backends,
    "facets": facets,
    "spectrum": spectrum,
    "inversion": inversion,
    "style": style,
}


def main(chosen: list[str]) -> None:
    """Print these parts, or all of them, and put each where RESULTS.md has its place."""
    for name in chosen or PARTS:
        lines = []
        print(f"\n## {name}\n")
        for line in PARTS[name]():
            print(line, flush=True)
            lines.append(line)
        put(f"synthesis {name}", lines)


if __name__ == "__main__":
    main(sys.argv[1:])
