"""What the engine adds to the same maths written by hand: gradient and Grad-CAM on torch and TensorFlow."""

from collections.abc import Callable, Iterator
from typing import Any

import crosslens
import keras
import numpy as np
import tensorflow as tf
import torch
from crosslens.backends.zoo import keras_nets, torch_nets
from crosslens.model.preprocessing import PRESETS

from .networks import resnet50
from .paired import in_turns
from .results import machine, put

TARGET = 281


def torch_by_hand(net: torch.nn.Module, layer: str, preset: str) -> dict[str, Callable[[Any], Any]]:
    """Gradient and Grad-CAM as one writes them in a notebook."""
    gain, offset = (torch.from_numpy(v)[None, :, None, None] for v in PRESETS[preset].affine(3))
    module = net.get_submodule(layer)

    def gradient(image: Any) -> Any:
        x = torch.from_numpy(image).requires_grad_()
        score = net(gain * x + offset)[:, TARGET].sum()
        return torch.autograd.grad(score, x)[0].numpy()

    def grad_cam(image: Any) -> Any:
        kept = []
        handle = module.register_forward_hook(lambda m, i, o: kept.append(o))
        x = torch.from_numpy(image).requires_grad_()
        score = net(gain * x + offset)[:, TARGET].sum()
        handle.remove()
        (gradient,) = torch.autograd.grad(score, kept)
        return torch.relu((gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1)).detach().numpy()

    return {"gradient": gradient, "grad_cam": grad_cam}


def keras_by_hand(net: Any, layer: str, preset: str) -> dict[str, Callable[[Any], Any]]:
    """The same as traced functions over NHWC images."""
    gain, offset = PRESETS[preset].affine(3)
    inner = keras.Model(net.inputs, [net.get_layer(layer).output, net.output])

    @tf.function(reduce_retracing=True)
    def gradient(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = tf.reduce_sum(net(gain * x + offset, training=False)[:, TARGET])
        return tape.gradient(score, x)

    @tf.function(reduce_retracing=True)
    def grad_cam(x: Any) -> Any:
        with tf.GradientTape() as tape:
            maps, output = inner(gain * x + offset, training=False)
            tape.watch(maps)
            score = tf.reduce_sum(output[:, TARGET])
        weights = tf.reduce_mean(tape.gradient(score, maps), (1, 2), keepdims=True)
        return tf.nn.relu(tf.reduce_sum(weights * maps, -1))

    def numpy(function: Any) -> Callable[[Any], Any]:
        return lambda image: function(tf.constant(np.moveaxis(image, 1, -1))).numpy()

    return {"gradient": numpy(gradient), "grad_cam": numpy(grad_cam)}


def cases() -> Iterator[tuple[str, str, Any, dict[str, Callable[[Any], Any]], str]]:
    """Backend, network, our Model, the same by hand, the layer for Grad-CAM."""
    lite_torch, lite_keras = torch_nets.lite0(), keras_nets.lite0()
    yield "torch", "Lite0", lite_torch, torch_by_hand(lite_torch, "relu1", "lite"), "relu1"
    net = resnet50()
    yield "torch", "ResNet-50", net, torch_by_hand(net, "blocks", "imagenet"), "blocks"
    yield "tensorflow", "Lite0", lite_keras, keras_by_hand(lite_keras, "relu1", "lite"), "relu1"
    keras.utils.set_random_seed(0)
    net = keras.applications.ResNet50(weights=None, classifier_activation=None)
    yield "tensorflow", "ResNet-50", net, keras_by_hand(net, "conv5_block3_out", "imagenet"), "conv5_block3_out"


def main() -> None:
    """Print and write the table: median milliseconds by hand and by crosslens, and the median of the paired ratios."""
    lines = [
        f"224 px, {torch.get_num_threads()} threads, medians, ratios of pairs; {machine()}.",
        "",
        "| backend | network | method | batch | by hand, ms | crosslens, ms | crosslens over by hand |",
        "|--|--|--|--|--|--|--|",
    ]
    print("\n".join(lines))
    rng = np.random.default_rng(0)
    for backend, name, net, by_hand, layer in cases():
        model = crosslens.wrap(net, preprocess="lite" if name == "Lite0" else "imagenet")
        for kind, function in by_hand.items():
            method = crosslens.method(kind, **({"layer": layer} if kind == "grad_cam" else {}))
            for batch in (1, 8):
                image = rng.random((batch, 3, 224, 224), np.float32)
                ours = method(model, image, target=TARGET).values
                theirs = function(image)
                theirs = theirs if theirs.shape == ours.shape else np.moveaxis(theirs, -1, 1)
                assert np.linalg.norm(ours - theirs) < 0.05 * np.linalg.norm(ours), "not the same maths"
                timing = in_turns(
                    {
                        "hand": lambda f=function, x=image: f(x),
                        "ours": lambda m=method, x=image, n=model: m(n, x, TARGET),
                    },
                    rounds=21 if batch == 1 else 9,
                )
                times = f"{1e3 * timing.median('hand'):.1f} | {1e3 * timing.median('ours'):.1f}"
                lines.append(
                    f"| {backend} | {name} | {kind} | {batch} | {times} | {timing.ratio('ours', 'hand'):.2f} |"
                )
                print(lines[-1], flush=True)
    put("engine cost", lines)


if __name__ == "__main__":
    main()
