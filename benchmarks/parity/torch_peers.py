"""What captum, torchcam, pytorch-grad-cam, zennit and PAIR's saliency return by default for a torch network."""

import warnings
from collections.abc import Callable
from copy import deepcopy
from typing import Any
from unittest import mock

import numpy as np
import torch
import zennit.attribution
from captum import attr
from captum._utils.models.linear_model import SkLearnLasso
from pytorch_grad_cam import (
    AblationCAM,
    EigenCAM,
    FullGrad,
    GradCAM,
    GradCAMPlusPlus,
    GuidedBackpropReLUModel,
    HiResCAM,
    LayerCAM,
    ScoreCAM,
    XGradCAM,
)
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from saliency import core as pair
from torchcam import methods as torchcam
from zennit.composites import DeconvNet, GuidedBackprop

from .draws import Draws, background, coalitions, places_on_the_way, superpixels, tossed

Array = np.ndarray[Any, Any]
Peer = Callable[..., Array]
"""(net, layer, images (N, C, H, W), target, settings) -> values."""
STEP = {"window": 6, "stride": 4}
PENALTY = 1e-4
"""Of LIME: captum's own, 0.01, leaves nothing of scores as small as those of the small networks."""


def captum_input(kind: Any) -> Peer:
    def run(net: Any, layer: str, x: Array, target: int) -> Array:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return kind(net).attribute(torch.from_numpy(x.copy()), target=target).detach().numpy()

    return run


def captum_smooth(kind: str = "smoothgrad") -> Peer:
    def run(net: Any, layer: str, x: Array, target: int) -> Array:
        draws = Draws(x.shape[1:])

        def normal(mean: float, deviation: Any) -> Any:
            images = x.shape[0]
            return deviation * torch.from_numpy(np.tile(draws.take(deviation.shape[0] // images), (images, 1, 1, 1)))

        with mock.patch("torch.normal", normal):
            tunnel = attr.NoiseTunnel(attr.Saliency(net))
            return tunnel.attribute(torch.from_numpy(x.copy()), nt_type=kind, target=target).detach().numpy()

    return run


def captum_occlusion(net: Any, layer: str, x: Array, target: int) -> Array:
    window = (x.shape[1], STEP["window"], STEP["window"])
    return attr.Occlusion(net).attribute(torch.from_numpy(x), window, target=target).numpy()[:, 0]


def captum_grad_cam(net: Any, layer: str, x: Array, target: int) -> Array:
    kind = attr.LayerGradCam(net, net.get_submodule(layer))
    return kind.attribute(torch.from_numpy(x), target=target).detach().numpy()[:, 0]


def captum_guided_grad_cam(net: Any, layer: str, x: Array, target: int) -> Array:
    return captum_input(lambda n: attr.GuidedGradCam(n, n.get_submodule(layer)))(net, layer, x, target)


def captum_gradient_shap(net: Any, layer: str, x: Array, target: int) -> Array:
    """One image at a time, each with the same draws; it chooses baselines and places in turn."""
    found = []
    for image in x:
        chosen, places = places_on_the_way(5)
        with (
            mock.patch("numpy.random.choice", lambda count, size, c=chosen: c[:size]),
            mock.patch("numpy.random.uniform", lambda low, high, size, p=places: p[:size]),
        ):
            kind = attr.GradientShap(net)
            found.append(kind.attribute(torch.from_numpy(image[None]), torch.from_numpy(background(x)), target=target))
    return torch.cat(found).detach().numpy()


def captum_superpixels(kind: Any, draw: Callable[[Any, int], Any]) -> Peer:
    """One image at a time, so that each gets the same draws."""

    def run(net: Any, layer: str, x: Array, target: int) -> Array:
        labels = superpixels(x)
        features = torch.from_numpy(labels)[None, None].expand(1, *x.shape[1:])
        found = []
        for image in x:
            explainer = kind(net)
            explainer.perturb_func = draw(explainer, int(labels.max()) + 1)
            found.append(explainer.attribute(torch.from_numpy(image[None]), target=target, feature_mask=features))
        return torch.cat(found).detach().numpy()[:, 0]

    return run


def captum_lime(net: Any) -> Any:
    """Its solver stops at 1e-4 by default, which would be all the difference that is seen."""
    return attr.Lime(net, interpretable_model=SkLearnLasso(alpha=PENALTY, tol=1e-9, max_iter=10**6))


def lime_draws(explainer: Any, count: int) -> Callable[..., Any]:
    rows = iter(tossed(25, count))
    return lambda image, **given: torch.from_numpy(next(rows)[None]).long()


def shap_draws(explainer: Any, count: int) -> Callable[..., Any]:
    def draw(image: Any, **given: Any) -> Any:
        yield torch.ones(1, count).long()
        yield torch.zeros(1, count).long()
        yield from (torch.from_numpy(row[None]).long() for row in coalitions(23, count))

    return draw


def torch_score_cam(net: Any, layer: str, x: Array, target: int) -> Array:
    with torchcam.ScoreCAM(net, layer, input_shape=x.shape[1:]) as cam, torch.no_grad():
        scores = net(torch.from_numpy(x))
        return cam(target, scores)[0].numpy()


def torch_cam(kind: Any, **settings: Any) -> Peer:
    def run(net: Any, layer: str, x: Array, target: int) -> Array:
        with kind(net, layer, **settings) as cam:
            scores = net(torch.from_numpy(x).requires_grad_())
            return cam(target, scores)[0].detach().numpy()

    return run


def grad_cam_package(kind: Any) -> Peer:
    def run(net: Any, layer: str, x: Array, target: int) -> Array:
        with kind(model=net, target_layers=[net.get_submodule(layer)]) as cam:
            images = torch.from_numpy(x).requires_grad_()
            return cam(input_tensor=images, targets=[ClassifierOutputTarget(target)] * x.shape[0])

    return run


def grad_cam_package_without_layers(net: Any, layer: str, x: Array, target: int) -> Array:
    with FullGrad(model=net, target_layers=[]) as cam:
        return cam(input_tensor=torch.from_numpy(x), targets=[ClassifierOutputTarget(target)] * x.shape[0])


def grad_cam_package_quiet(kind: Any) -> Peer:
    """On a copy, whose layers it replaces; without its progress bars."""

    def run(net: Any, layer: str, x: Array, target: int) -> Array:
        with mock.patch("tqdm.tqdm", lambda steps: steps), torch.no_grad():
            return grad_cam_package(kind)(deepcopy(net), layer, x, target)

    return run


def grad_cam_package_guided(net: Any, layer: str, x: Array, target: int) -> Array:
    """It takes one image at a time, gives (H, W, C) and leaves the network with other modules: it gets a copy."""
    run = GuidedBackpropReLUModel(deepcopy(net))
    return np.stack([run(torch.from_numpy(x[n : n + 1].copy()), target).transpose(2, 0, 1) for n in range(len(x))])


def zennit_input(kind: Any, composite: Any = None, **replaced: Any) -> Peer:
    def run(net: Any, layer: str, x: Array, target: int) -> Array:
        classes = net(torch.from_numpy(x[:1])).shape[1]
        chosen = composite() if composite else None
        draws = Draws(x.shape[1:])
        noise = mock.patch("torch.randn_like", lambda image: torch.from_numpy(draws.take(1)).expand_as(image))
        one = torch.eye(classes)[[target] * x.shape[0]]
        with kind(net, composite=chosen, **replaced) as attributor, noise:
            return attributor(torch.from_numpy(x.copy()), one)[1].detach().numpy()

    return run


def pair_saliency(kind: Any, method: str = "GetMask", **settings: Any) -> Peer:
    """It takes one image (H, W, C) at a time, and the user's own function for output and gradients."""

    def run(net: Any, layer: str, x: Array, target: int) -> Array:
        found = []
        for image in x.transpose(0, 2, 3, 1):
            draws = Draws(x.shape[1:])
            noise = lambda mean, deviation, shape, d=draws: deviation * d.take(1)[0].transpose(1, 2, 0)  # noqa: E731
            with mock.patch("numpy.random.normal", noise):
                mask = getattr(kind(), method)(image, _call(net, layer, target), **settings)
            found.append(mask if mask.ndim == 2 else mask.transpose(2, 0, 1))
        return np.stack(found)

    return run


def _call(net: Any, layer: str, target: int) -> Callable[..., dict[str, Array]]:
    def call(images: Array, call_model_args: Any, expected_keys: Any) -> dict[str, Array]:
        kept: list[Any] = []
        handle = net.get_submodule(layer).register_forward_hook(lambda m, i, o: kept.append(o))
        x = torch.from_numpy(np.float32(images).transpose(0, 3, 1, 2)).requires_grad_()
        score = net(x)[:, target]
        handle.remove()
        if expected_keys == [pair.base.OUTPUT_LAYER_VALUES]:
            return {pair.base.OUTPUT_LAYER_VALUES: score.detach().numpy()}
        dx, dy = torch.autograd.grad(score.sum(), [x, kept[0]])
        return {
            pair.base.INPUT_OUTPUT_GRADIENTS: dx.numpy().transpose(0, 2, 3, 1),
            pair.base.CONVOLUTION_LAYER_VALUES: kept[0].detach().numpy().transpose(0, 2, 3, 1),
            pair.base.CONVOLUTION_OUTPUT_GRADIENTS: dy.numpy().transpose(0, 2, 3, 1),
        }

    return call


def pair_first_channel(run: Peer) -> Peer:
    """It repeats a map over three channels."""
    return lambda *given: run(*given)[:, 0]


PEERS: dict[tuple[str, str], Peer] = {
    ("captum", "gradient"): captum_input(attr.Saliency),
    ("captum", "gradient_x_input"): captum_input(attr.InputXGradient),
    ("captum", "smooth_grad"): captum_smooth(),
    ("captum-smoothgrad_sq", "smooth_grad"): captum_smooth("smoothgrad_sq"),
    ("captum-vargrad", "smooth_grad"): captum_smooth("vargrad"),
    ("captum", "integrated_gradients"): captum_input(attr.IntegratedGradients),
    ("captum", "guided_backprop"): captum_input(attr.GuidedBackprop),
    ("captum", "deconvnet"): captum_input(attr.Deconvolution),
    ("captum", "guided_grad_cam"): captum_guided_grad_cam,
    ("captum", "grad_cam"): captum_grad_cam,
    ("captum", "occlusion"): captum_occlusion,
    ("captum", "expected_gradients"): captum_gradient_shap,
    ("captum", "lime"): captum_superpixels(captum_lime, lime_draws),
    ("captum", "kernel_shap"): captum_superpixels(attr.KernelShap, shap_draws),
    ("torchcam", "cam"): torch_cam(torchcam.CAM, fc_layer="fc"),
    ("torchcam", "grad_cam"): torch_cam(torchcam.GradCAM),
    ("torchcam", "grad_cam_plus_plus"): torch_cam(torchcam.GradCAMpp),
    ("torchcam", "x_grad_cam"): torch_cam(torchcam.XGradCAM),
    ("torchcam", "layer_cam"): torch_cam(torchcam.LayerCAM),
    ("torchcam", "score_cam"): torch_score_cam,
    ("pytorch-grad-cam", "grad_cam"): grad_cam_package(GradCAM),
    ("pytorch-grad-cam", "grad_cam_plus_plus"): grad_cam_package(GradCAMPlusPlus),
    ("pytorch-grad-cam", "x_grad_cam"): grad_cam_package(XGradCAM),
    ("pytorch-grad-cam", "layer_cam"): grad_cam_package(LayerCAM),
    ("pytorch-grad-cam", "hires_cam"): grad_cam_package(HiResCAM),
    ("pytorch-grad-cam", "eigen_cam"): grad_cam_package(EigenCAM),
    ("pytorch-grad-cam", "score_cam"): grad_cam_package_quiet(ScoreCAM),
    ("pytorch-grad-cam", "ablation_cam"): grad_cam_package_quiet(AblationCAM),
    ("pytorch-grad-cam", "full_grad"): grad_cam_package_without_layers,
    ("pytorch-grad-cam", "guided_backprop"): grad_cam_package_guided,
    ("zennit", "gradient"): zennit_input(zennit.attribution.Gradient),
    ("zennit", "smooth_grad"): zennit_input(zennit.attribution.SmoothGrad),
    ("zennit", "integrated_gradients"): zennit_input(zennit.attribution.IntegratedGradients),
    ("zennit", "guided_backprop"): zennit_input(zennit.attribution.Gradient, GuidedBackprop),
    ("zennit", "deconvnet"): zennit_input(zennit.attribution.Gradient, DeconvNet),
    ("pair", "gradient"): pair_saliency(pair.GradientSaliency),
    ("pair", "smooth_grad"): pair_saliency(pair.GradientSaliency, "GetSmoothedMask"),
    ("pair", "integrated_gradients"): pair_saliency(pair.IntegratedGradients),
    ("pair", "grad_cam"): pair_first_channel(pair_saliency(pair.GradCam)),
    ("pair", "occlusion"): pair_first_channel(pair_saliency(pair.Occlusion)),
}
