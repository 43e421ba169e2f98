"""Speed beside captum, torchcam and tf-keras-vis, paired in one run, in the environment of `make parity`.

Same network, images, settings and threads; each library is called as its users call it. A ratio above 1: crosslens is
faster. crosslens always says the score that it explains, and how far integrated gradients are from complete: captum's
integrated gradients are asked for that too (`return_convergence_delta`), and SmoothGrad, whose tunnel has no such
question, stands beside the tunnel alone and beside the tunnel and one pass for the score.
`python -m benchmarks.peers_speed lite0 1` runs one network at one batch.
"""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from statistics import geometric_mean
from typing import Any

import crosslens
import numpy as np
import torch

from .networks import exported, resnet50
from .paired import in_turns
from .parity import stand_ins

stand_ins.install()

TARGET = 281
SAMPLES = 5
"""Of SmoothGrad: captum's default."""


def settings(name: str, batch: int) -> Mapping[str, Any]:
    """The same for each library: captum's default numbers, fewer steps for a batch, and few windows."""
    known: Mapping[str, Mapping[str, Any]] = {
        "smooth_grad": {"samples": SAMPLES},
        "integrated_gradients": {"steps": 50 if batch == 1 else 8},
        "occlusion": {"window": 112, "stride": 56},
    }
    return known.get(name, {})


def torch_calls(net: torch.nn.Module, layer: str, steps: int) -> Iterator[tuple[str, str, Callable[[Any], Any]]]:
    """Library, our method and after a comma what is asked for beside, the library's call on images (N, 3, H, W)."""
    from captum import attr
    from torchcam import methods as torchcam

    module = net.get_submodule(layer)
    tunnel = attr.NoiseTunnel(attr.Saliency(net))
    path, windows = attr.IntegratedGradients(net), attr.Occlusion(net)
    yield "captum", "gradient", lambda x: attr.Saliency(net).attribute(x, target=TARGET)
    yield "captum", "gradient_x_input", lambda x: attr.InputXGradient(net).attribute(x, target=TARGET)
    if any(isinstance(each, torch.nn.ReLU) for each in net.modules()):  # captum passes by ReLU6 in silence
        yield "captum", "guided_backprop", lambda x: attr.GuidedBackprop(net).attribute(x, target=TARGET)
    yield "captum", "grad_cam", lambda x: attr.LayerGradCam(net, module).attribute(x, target=TARGET)
    smooth = partial(tunnel.attribute, target=TARGET, nt_samples=SAMPLES)
    yield "captum", "smooth_grad", smooth
    yield "captum", "smooth_grad, score", lambda x: (smooth(x), _forward(net, x))
    complete = partial(path.attribute, target=TARGET, n_steps=steps, return_convergence_delta=True)
    yield "captum", "integrated_gradients, gap", complete
    yield (
        "captum",
        "occlusion",
        lambda x: windows.attribute(x, (3, 112, 112), strides=(3, 56, 56), target=TARGET, perturbations_per_eval=8),
    )
    for name, kind in (
        ("grad_cam", torchcam.GradCAM),
        ("grad_cam_plus_plus", torchcam.GradCAMpp),
        ("x_grad_cam", torchcam.XGradCAM),
        ("layer_cam", torchcam.LayerCAM),
    ):
        cam = kind(net, layer, enable_hooks=False)
        yield "torchcam", name, lambda x, c=cam: _torchcam(c, net, x)


def _forward(net: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = net(x)
        return found


def _torchcam(cam: Any, net: torch.nn.Module, x: torch.Tensor) -> Any:
    cam.enable_hooks()
    found = cam(TARGET, net(x.requires_grad_()))
    cam.disable_hooks()
    return found


def keras_calls(net: Any, layer: str) -> Iterator[tuple[str, str, Callable[[Any], Any]]]:
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.layercam import Layercam
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.scores import CategoricalScore

    saliency = Saliency(net)
    score = lambda x: CategoricalScore([TARGET] * len(x))  # noqa: E731
    yield "tf-keras-vis", "gradient", lambda x: saliency(score(x), x)
    yield "tf-keras-vis", "smooth_grad", lambda x: saliency(score(x), x, smooth_samples=SAMPLES)
    kinds = {"grad_cam": Gradcam, "grad_cam_plus_plus": GradcamPlusPlus, "layer_cam": Layercam}
    for name, kind in kinds.items():
        cam = kind(net)
        yield (
            "tf-keras-vis",
            name,
            lambda x, c=cam: c(score(x), x, penultimate_layer=layer, seek_penultimate_conv_layer=False),
        )


def ours(model: Any, library: str, name: str, layer: str | None, batch: int) -> Callable[[Any], Any]:
    name = name.partition(",")[0]
    given = dict(settings(name, batch)) | ({"layer": layer} if name.endswith(("cam", "plus_plus")) else {})
    method = crosslens.method(name, preset=library, **given)
    return lambda x: method(model, x, target=TARGET)


def network(name: str, framework: str) -> tuple[Any, str]:
    """The network and its last layer with maps."""
    if framework == "keras":
        import keras
        from crosslens.backends.zoo import keras_nets

        if name == "lite0":
            return keras_nets.lite0(), "relu1"
        return keras.applications.ResNet50(weights=None, classifier_activation=None), "conv5_block3_out"
    from crosslens.backends.zoo import torch_nets

    return (torch_nets.lite0(), "relu1") if name == "lite0" else (resnet50(), "blocks")


def rows(name: str, batch: int, only: set[str]) -> Iterator[tuple[str, float, float | None]]:
    """Lines of the table with their ratios."""
    x = np.random.default_rng(0).random((batch, 3, 224, 224), np.float32)
    net, layer = network(name, "torch")
    steps = settings("integrated_gradients", batch)["steps"]
    calls = [
        call for call in torch_calls(net, layer, steps) if not only or only & {*call[:2], call[1].partition(",")[0]}
    ]
    if calls:
        in_torch = crosslens.wrap(net, preprocess=None, input_shape=x.shape[1:])
        in_onnx = crosslens.wrap(exported(net), preprocess=None, input_shape=x.shape[1:])
        onnx_layer = _same_layer(in_torch, in_onnx, layer, x[:1])
    for library, method, call in calls:
        tensor = torch.from_numpy(x.copy())
        candidates = {
            "peer": partial(call, tensor),
            "torch": partial(ours(in_torch, library, method, layer, batch), x),
            "onnx": partial(ours(in_onnx, library, method, onnx_layer, batch), x),
        }
        timing = in_turns(candidates, rounds=_rounds(method, batch), warmup=1)
        first, second = timing.ratio("peer", "torch"), timing.ratio("peer", "onnx")
        ms = [f"{1e3 * timing.median(c):.0f}" for c in candidates]
        cells = [library, _shown(method), name, str(batch), ms[0], ms[1], f"{first:.2f}", ms[2], f"{second:.2f}"]
        yield f"| {' | '.join(cells)} |", first, second
    if not only or "tf-keras-vis" in only:
        yield from keras_rows(name, batch, x)


def keras_rows(name: str, batch: int, x: Any) -> Iterator[tuple[str, float, None]]:
    net, layer = network(name, "keras")
    model = crosslens.wrap(net, preprocess=None)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    for library, method, call in keras_calls(net, layer):
        candidates = {
            "peer": partial(call, last),
            "keras": partial(ours(model, library, method, layer, batch), x),
        }
        timing = in_turns(candidates, rounds=_rounds(method, batch), warmup=1)
        ms = [f"{1e3 * timing.median(c):.0f}" for c in candidates]
        ratio = timing.ratio("peer", "keras")
        cells = [library, _shown(method), name, str(batch), ms[0], f"{ms[1]} (Keras)", f"{ratio:.2f}", "-", "-"]
        yield f"| {' | '.join(cells)} |", ratio, None


def _shown(method: str) -> str:
    name, comma, beside = method.partition(",")
    return f"`{name}`{comma}{beside}"


def _rounds(method: str, batch: int) -> int:
    several = bool(settings(method.partition(",")[0], batch))
    return 3 if several and batch > 1 else 5 if several or batch > 1 else 11


def _same_layer(a: Any, b: Any, layer: str, x: Any) -> str:
    """The last layer of `b` that holds what `layer` of `a` does."""
    wanted = a.forward(x, [layer])[layer]
    names = [n for n, found in b.layers.items() if tuple(found.shape[1:]) == wanted.shape[1:]]
    held = b.forward(x, names)
    return [n for n in names if np.allclose(held[n], wanted, rtol=1e-2, atol=1e-3 * np.abs(wanted).max())][-1]


def main() -> None:
    """Print the table for the network and the batch that are named, and only the libraries or methods after them."""
    warnings.simplefilter("ignore")
    name, batch, only = sys.argv[1], int(sys.argv[2]), set(sys.argv[3:])
    print(f"224 px, {torch.get_num_threads()} threads each; medians of pairs; above 1: crosslens is faster")
    print(
        "| library | method | network | batch | library ms | crosslens, same framework, ms | faster x | onnx ms | x |"
    )
    print("|--" * 9 + "|")
    found = []
    for line, *ratios in rows(name, batch, only):
        print(line, flush=True)
        found.append(ratios)
    onnx = [second for _, second in found if second is not None]
    print(f"\nslowest against its library: x{min(first for first, _ in found):.2f}", end="")
    print(f"; onnxruntime in the geometric mean: x{geometric_mean(onnx):.2f}" if onnx else "")


if __name__ == "__main__":
    main()
