"""What tf-keras-vis, xplique and tf-explain return by default for a Keras network."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import cv2
import keras
import numpy as np
import tensorflow as tf
from tf_explain.core import grad_cam as explained_cam
from tf_explain.core import gradients_inputs, vanilla_gradients
from tf_explain.core import integrated_gradients as explained_path
from tf_explain.utils.image import transform_to_normalized_grayscale
from tf_keras_vis.gradcam import Gradcam
from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
from tf_keras_vis.layercam import Layercam
from tf_keras_vis.saliency import Saliency
from tf_keras_vis.scorecam import Scorecam
from tf_keras_vis.utils.model_modifiers import GuidedBackpropagation
from tf_keras_vis.utils.scores import CategoricalScore
from xplique import attributions as xplique
from xplique import metrics
from xplique.attributions.rise import Rise
from xplique.metrics import fidelity

from .draws import Draws, coalitions, importance, rise_masks, tossed

Array = np.ndarray[Any, Any]
Peer = Callable[..., Array]
SAMPLES = 10


def last(x: Array) -> Array:
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def keras_vis_cam(kind: Any) -> Peer:
    def run(net: Any, layer: str, x: Array, target: int) -> Array:
        score = CategoricalScore([target] * x.shape[0])
        return np.asarray(kind(net)(score, last(x), penultimate_layer=layer, seek_penultimate_conv_layer=False))

    return run


def keras_vis_saliency(samples: int = 0) -> Peer:
    def run(net: Any, layer: str, x: Array, target: int) -> Array:
        draws = Draws(x.shape[1:]).take(samples).transpose(0, 2, 3, 1)[:, None]
        with mock.patch("numpy.random.normal", lambda mean, deviation, shape: draws * deviation):
            score = CategoricalScore([target] * x.shape[0])
            return np.asarray(Saliency(net)(score, last(x), smooth_samples=samples))

    return run


def keras_vis_guided(net: Any, layer: str, x: Array, target: int) -> Array:
    """On a copy whose ReLU layers are activations: it passes over the others."""

    def rectifier(one: Any) -> Any:
        if isinstance(one, keras.layers.ReLU):
            return keras.layers.Activation("relu", name=one.name)
        return type(one).from_config(one.get_config())

    copy = keras.models.clone_model(net, clone_function=rectifier)
    copy.set_weights(net.get_weights())
    score = CategoricalScore([target] * x.shape[0])
    return np.asarray(Saliency(copy, model_modifier=GuidedBackpropagation())(score, last(x)))


def explained(kind: Any, layer_as: str = "", **settings: Any) -> Peer:
    def run(net: Any, layer: str, x: Array, target: int) -> Array:
        draws = Draws(x.shape[1:])

        def normal(shape: Any, mean: float, deviation: Any, dtype: Any) -> Any:
            return deviation * draws.take(shape[0]).transpose(0, 2, 3, 1)

        given = settings | ({layer_as: layer} if layer_as else {})
        with mock.patch("tensorflow.random.normal", normal):
            targets = tf.one_hot([target] * x.shape[0], net.output.shape[-1])
            found = kind(net, **given).explain(last(x), targets).numpy()
        return found[..., 0]

    return run


def xplique_superpixels(kind: Any, samples: int, draw: Callable[[int, int], Array]) -> Peer:
    """With superpixels of its own; each image gets the same draws."""

    def run(net: Any, layer: str, x: Array, target: int) -> Array:
        explainer = kind(net)
        explainer.pertub_func = lambda count, n: tf.constant(draw(samples, int(np.squeeze(count))), tf.int32)
        targets = tf.one_hot([target] * x.shape[0], net.output.shape[-1])
        return explainer.explain(last(x), targets).numpy()[..., 0]

    return run


def xplique_rise(net: Any, layer: str, x: Array, target: int) -> Array:
    """Each mask is shifted by itself; untraced, so that the draws are taken batch after batch."""
    grids, places = rise_masks(4000, x.shape[2])
    found = []
    for image in x:
        left = iter(places)

        def crop(masks: Any, shape: Any, left: Any = left) -> Any:
            return tf.stack([m[r : r + shape[1], c : c + shape[2]] for m, (r, c) in zip(masks, left, strict=False)])

        tf.config.run_functions_eagerly(True)
        try:
            with (
                mock.patch.object(Rise, "_get_masks", return_value=tf.constant(grids[..., None])),
                mock.patch("tensorflow.image.random_crop", crop),
            ):
                found.append(Rise(net)(last(image[None]), tf.one_hot([target], net.output.shape[-1])).numpy()[..., 0])
        finally:
            tf.config.run_functions_eagerly(False)
    return np.concatenate(found)


def xplique_curve(kind: Any) -> Peer:
    """The mean curve over the images, (steps + 1,)."""

    def run(net: Any, layer: str, x: Array, target: int) -> Array:
        targets = tf.one_hot([target] * x.shape[0], net.output.shape[-1])
        return np.asarray([*kind(net, last(x), targets).detailed_evaluate(importance(x)).values()])

    return run


def xplique_drop(net: Any, layer: str, x: Array, target: int) -> Array:
    """Drop and increase of each image, (N, 2, 1)."""
    targets = tf.one_hot([target] * x.shape[0], net.output.shape[-1])
    kinds = fidelity.AverageDropMetric, fidelity.AverageIncreaseMetric
    found = [kind(net, last(x), targets).detailed_evaluate(last(x), targets, importance(x)) for kind in kinds]
    return np.stack(found, axis=1)[:, :, None]


def tf_explain_pixels(gradients: Callable[..., Any]) -> Peer:
    """Grey values before they are put side by side."""
    return lambda net, layer, x, target: transform_to_normalized_grayscale(
        tf.abs(gradients(last(x), net, target))
    ).numpy()


def tf_explain_path(x: Array, net: Any, target: int, steps: int = 10) -> Any:
    kind = explained_path.IntegratedGradients
    return kind.get_integrated_gradients(kind.generate_interpolations(x, steps), net, target, steps)


def tf_explain_cam(net: Any, layer: str, x: Array, target: int) -> Array:
    """Its map as it is before it is coloured and laid over the image: enlarged, from 0 to 1."""
    kind = explained_cam.GradCAM
    maps = kind.generate_ponderated_output(*kind.get_gradients_and_filters(net, last(x), layer, target, True))
    large = [cv2.resize(found.numpy(), x.shape[:1:-1]) for found in maps]
    return np.stack([(m - m.min()) / (m.max() - m.min()) for m in large])


PEERS: dict[tuple[str, str], Peer] = {
    ("tf-keras-vis", "gradient"): keras_vis_saliency(),
    ("tf-keras-vis", "smooth_grad"): keras_vis_saliency(SAMPLES),
    ("tf-keras-vis", "guided_backprop"): keras_vis_guided,
    ("tf-keras-vis", "grad_cam"): keras_vis_cam(Gradcam),
    ("tf-keras-vis", "grad_cam_plus_plus"): keras_vis_cam(GradcamPlusPlus),
    ("tf-keras-vis", "layer_cam"): keras_vis_cam(Layercam),
    ("tf-keras-vis", "score_cam"): keras_vis_cam(Scorecam),
    ("xplique", "gradient"): explained(xplique.Saliency),
    ("xplique", "gradient_x_input"): explained(xplique.GradientInput),
    ("xplique", "smooth_grad"): explained(xplique.SmoothGrad),
    ("xplique-squaregrad", "smooth_grad"): explained(xplique.SquareGrad),
    ("xplique-vargrad", "smooth_grad"): explained(xplique.VarGrad),
    ("xplique", "integrated_gradients"): explained(xplique.IntegratedGradients),
    ("xplique", "guided_backprop"): explained(xplique.GuidedBackprop),
    ("xplique", "deconvnet"): explained(xplique.DeconvNet),
    ("xplique", "grad_cam"): explained(xplique.GradCAM, "conv_layer"),
    ("xplique", "grad_cam_plus_plus"): explained(xplique.GradCAMPP, "conv_layer"),
    ("xplique", "occlusion"): explained(xplique.Occlusion),
    ("xplique", "rise"): xplique_rise,
    ("xplique", "lime"): xplique_superpixels(xplique.Lime, 150, tossed),
    ("xplique", "kernel_shap"): xplique_superpixels(xplique.KernelShap, 800, coalitions),
    ("xplique", "average_drop"): xplique_drop,
    ("xplique", "deletion"): xplique_curve(metrics.Deletion),
    ("xplique", "insertion"): xplique_curve(metrics.Insertion),
    ("tf-explain", "gradient"): tf_explain_pixels(vanilla_gradients.VanillaGradients.compute_gradients),
    ("tf-explain", "gradient_x_input"): tf_explain_pixels(gradients_inputs.GradientsInputs.compute_gradients),
    ("tf-explain", "integrated_gradients"): tf_explain_pixels(tf_explain_path),
    ("tf-explain", "grad_cam"): tf_explain_cam,
}
