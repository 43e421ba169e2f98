"""What synthesis reaches, in figures, since no paper publishes any: python -m benchmarks.synthesis_quality [PART ...].

Parts, each of which fills its own table of the README: `channels`, how far a fixed list of channels rises over the
noise that the picture began with; `classes`, how sure the network is of its own picture of a class, and where another
ImageNet network ranks that class (EfficientNet-Lite2, from a package of its own: see `networks.efficientnet_lite`);
`spectrum`, how steeply the power falls with the frequency; `inversion`, what is lost at which depth; `style`, what a
loop written by hand in torch reaches in the same steps. All from crosslens on onnxruntime, two threads or one.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import crosslens
import numpy as np
import torch
from crosslens.arrays import as_numpy, softmax
from crosslens.objective import channel
from crosslens.operators import Resize
from crosslens.parameterise import parameterisation
from crosslens.scales import last_of_scales, rectified_scales

from .networks.efficientnet_lite import efficientnet_lite2
from .style_by_hand import Losses, style_transfer
from .synthesis_speed import CONTENT, RATE, STYLES, WEIGHTS, adam, photograph, trunk, wrapped

README = Path(__file__).parent.parent / "README.md"
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
CLASSES = (1, 76, 281, 340, 574, 985)
"""A goldfish, a tarantula, a tabby cat, a zebra, a golf ball, a daisy."""
CHANNELS = (3, 4, 5)
"""Of each layer: picked by their number, not by how well they do."""
GOAL = 10.0


def photographs(size: tuple[int, int]) -> Any:
    """(4, 3, H, W): those that scikit-image ships, their middle."""
    from PIL import Image
    from skimage import data

    made = [crosslens.load_image(Image.fromarray(getattr(data, name)()), size=size) for name in PHOTOGRAPHS]
    return np.concatenate(made)


def slope(image: Any) -> float:
    """The power of the frequency with which the power spectrum falls, by least squares over a disc of frequencies."""
    luma = image.mean(axis=0)
    power = np.abs(np.fft.fft2(luma - luma.mean())) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(luma.shape[1]), np.fft.fftfreq(luma.shape[0])))
    kept = (frequency > 0.02) & (frequency < 0.4)
    return float(np.polyfit(np.log(frequency[kept]), np.log(power[kept] + 1e-12), 1)[0])


def starting_noise(model: Any) -> Any:
    """The picture from which the methods start where no other is given."""
    pixels = parameterisation("fourier", model.input.size)
    return pixels.image.apply(pixels.noise(1, np.random.default_rng(0)))


def means(model: Any, layer: str, images: Any) -> Any:
    """(N, C), each channel's mean over positions."""
    return as_numpy(model.forward(images, [layer])[layer]).mean(axis=(2, 3))


def channels(steps: int = 96) -> Iterator[str]:
    """Lite0's channels, which are clipped at 6, and those of VGG16's trunk, which are not."""
    yield "| layer | channel | noise | photographs, the highest | picture | over noise |"
    yield "|--|--|--|--|--|--|"
    reached = []
    for name, model in (("Lite0", crosslens.wrap("demo:lite0_onnx")), ("VGG16", wrapped("onnx", 128)[0])):
        noise, real = starting_noise(model), photographs(model.input.size)
        for place, layers in enumerate(rectified_scales(model, noise)):
            layer = layers[0]
            before, seen = means(model, layer, noise)[0], means(model, layer, real).max(axis=0)
            for k in CHANNELS:
                where = f"| {name}, scale {place + 1} | {k} | {before[k]:.3g} | {seen[k]:.3g} |"
                try:
                    method = crosslens.method("activation_maximisation", steps=steps, learning_rate=0.03)
                    after = means(model, layer, method(model, None, channel(layer, k)).images)[0, k]
                except crosslens.CrosslensError:
                    yield f"{where} - | dead at the start, and said so |"
                    continue
                times = after / before[k] if before[k] > 0 else np.inf
                reached.append(times)
                yield f"{where} {after:.3g} | {'from zero' if np.isinf(times) else f'x{times:.1f}'} |"
    yield ""
    yield f"{sum(t >= GOAL for t in reached)} of {len(reached)} live channels rise {GOAL:g}-fold or more."


def classes(steps: int = 96) -> Iterator[str]:
    """Ranks by the network itself and by another one."""
    model, other = crosslens.wrap("demo:lite0_onnx"), efficientnet_lite2()
    judge = crosslens.wrap(other, preprocess="lite", input_shape=(3, 260, 260), labels=model.labels)
    made = crosslens.method("class_maximisation", steps=steps, learning_rate=0.03)(model, None, CLASSES).images
    own, theirs = softmax(as_numpy(model.forward(made)[crosslens.OUTPUT])), judged(judge, made)
    yield "| class | probability | rank | rank by EfficientNet-Lite2 |"
    yield "|--|--|--|--|"
    ranks = []
    for c, mine, its in zip(CLASSES, own, theirs, strict=True):
        ranks.append(rank(its, c))
        yield f"| {model.labels[c].partition(',')[0]} | {mine[c]:.4f} | {rank(mine, c)} | {ranks[-1]} |"
    yield ""
    yield f"Lite2's median rank is {np.median(ranks):g} of 1000; by chance it would be 500."


def judged(judge: Any, pictures: Any) -> Any:
    """(N, K), the outputs for pictures of another size."""
    size = pictures.shape[-2], pictures.shape[-1]
    return as_numpy(judge.forward(Resize(size, judge.input.size).apply(pictures))[crosslens.OUTPUT])


def rank(scores: Any, c: int) -> int:
    """1 for the highest."""
    return 1 + int((scores > scores[c]).sum())


def spectrum(steps: int = 64) -> Iterator[str]:
    """Slopes of a class's picture in three coordinates, and of photographs."""
    model = crosslens.wrap("demo:lite0_onnx")
    real = [slope(image) for image in photographs(model.input.size)]
    yield "| pictures | slope of the power spectrum |"
    yield "|--|--|"
    yield f"| photographs | {np.mean(real):.2f} ({min(real):.2f} to {max(real):.2f}) |"
    for name in ("fourier", "pyramid", "pixels"):
        made = crosslens.method("class_maximisation", steps=steps, parameterisation=name)(model, None, CLASSES[2:3])
        found = [slope(image) for image in as_numpy(made.images)]
        yield f"| {name} | {np.mean(found):.2f} ({min(found):.2f} to {max(found):.2f}) |"


def inversion(steps: int = 100) -> Iterator[str]:
    """Errors at a layer and in the picture, for the last rectified layer of each of VGG16's scales."""
    model, photo = wrapped("onnx", 128)[0], photographs((128, 128))[:1]
    yield "| layer | error at the layer | error of the picture |"
    yield "|--|--|--|"
    for place, layer in enumerate(last_of_scales(model, photo)):
        made = crosslens.method("feature_inversion", layer=layer, steps=steps)(model, photo).images
        yield f"| scale {place + 1} | {apart(model, layer, made, photo):.3f} | {distance(made, photo):.3f} |"


def apart(model: Any, layer: str, a: Any, b: Any) -> float:
    """|f(a) - f(b)| / |f(b)|."""
    x, y = (as_numpy(model.forward(image, [layer])[layer]) for image in (a, b))
    return float(np.linalg.norm(x - y) / np.linalg.norm(y))


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
    "channels": channels,
    "classes": classes,
    "spectrum": spectrum,
    "inversion": inversion,
    "style": style,
}


def main(chosen: list[str]) -> None:
    """Print these parts, or all of them, and put each where the README has its place."""
    for name in chosen or PARTS:
        lines = []
        print(f"\n## {name}\n")
        for line in PARTS[name]():
            print(line, flush=True)
            lines.append(line)
        place(name, lines)


def place(name: str, lines: list[str]) -> None:
    """Put a part where the README has its place."""
    begin, end = f"<!-- synthesis {name}: begin -->", f"<!-- synthesis {name}: end -->"
    table = "\n".join([begin, "", *lines, "", end])
    README.write_text(re.sub(f"{begin}.*{end}", lambda _: table, README.read_text(), flags=re.DOTALL))


if __name__ == "__main__":
    main(sys.argv[1:])
