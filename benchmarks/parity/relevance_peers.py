"""Relevance as zennit, captum, autoLRP and lxt compute it, from the logit of a class on."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any
from unittest import mock

import autolrp
import lxt.efficient.patches as lxt_patches
import numpy as np
import torch
import zennit.composites
from captum import attr
from captum.attr._utils import lrp_rules
from lxt.efficient.rules import divide_gradient
from torch import nn
from torch.nn import functional
from zennit.attribution import Gradient
from zennit.canonizers import SequentialMergeBatchNorm

from .canonised import canonised, captum_sum

Array = np.ndarray[Any, Any]
Peer = Callable[[Any, Array, int, float], Array]
"""(net, images (N, C, H, W) in [0, 1] of the net's type, target, stabiliser) -> relevance of each value."""
ZENNIT = {
    "epsilon_plus": "EpsilonPlus",
    "epsilon_plus_flat": "EpsilonPlusFlat",
    "epsilon_alpha2_beta1": "EpsilonAlpha2Beta1",
    "epsilon_alpha2_beta1_flat": "EpsilonAlpha2Beta1Flat",
    "epsilon_gamma_box": "EpsilonGammaBox",
}


def of_class(target: int) -> Callable[[Any], Any]:
    """Relevance at the output: the logit of one class."""
    return lambda output: output * functional.one_hot(torch.tensor(target), output.shape[1])


def zennit_composite(name: str) -> Peer:
    def run(net: Any, x: Array, target: int, stabiliser: float) -> Array:
        images = torch.from_numpy(x.copy()).requires_grad_()
        given: dict[str, Any] = {"epsilon": stabiliser, "stabilizer": stabiliser}
        if name == "epsilon_gamma_box":
            given |= {"low": torch.zeros_like(images[:1]), "high": torch.ones_like(images[:1])}
        composite = getattr(zennit.composites, ZENNIT[name])(canonizers=[SequentialMergeBatchNorm()], **given)
        with Gradient(canonised(net), composite=composite) as attributor:
            return attributor(images, of_class(target))[1].detach().numpy()

    return run


def captum_lrp(rules: Callable[[nn.Module], Any]) -> Peer:
    """Its rules; `rules` gives that of a layer with a kernel."""

    def run(net: Any, x: Array, target: int, stabiliser: float) -> Array:
        copy = canonised(net, captum_sum)
        for module in copy.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.rule = rules(module)
            elif isinstance(module, nn.Flatten | nn.Identity | nn.ReLU6):
                module.rule = lrp_rules.IdentityRule()
        with mock.patch.object(lrp_rules.PropagationRule, "STABILITY_FACTOR", stabiliser):
            return attr.LRP(copy).attribute(torch.from_numpy(x.copy()), target=target).detach().numpy()

    return run


def autolrp_config(config: Callable[[float], Any]) -> Peer:
    """One image at a time, times the logit: it begins at one number, with a relevance of 1."""

    def run(net: Any, x: Array, target: int, stabiliser: float) -> Array:
        found = []
        for image in x:
            given = autolrp.tensor(torch.from_numpy(image[None].copy()))
            logit = net(given)[0, target]
            logit.lrp(config=config(stabiliser))
            found.append(given.relevance.detach().numpy() * logit.detach().numpy())
        return np.concatenate(found)

    return run


def lxt_attention(net: Any, x: Array, target: int, stabiliser: float) -> Array:
    """What `lxt.efficient` puts in place of activations, normalisations and attention; times the input."""
    copy = deepcopy(net)
    for module in copy.modules():
        if isinstance(module, nn.GELU):
            module.original_forward = module.forward
            module.forward = lxt_patches.non_linear_forward.__get__(module)
        elif isinstance(module, nn.LayerNorm):
            module.forward = lxt_patches.layer_norm_forward.__get__(module)
    plain = functional.scaled_dot_product_attention

    def attention(q: Any, k: Any, v: Any) -> Any:
        return plain(divide_gradient(q, 4), divide_gradient(k, 4), divide_gradient(v, 2))

    images = torch.from_numpy(x.copy()).requires_grad_()
    with mock.patch.object(functional, "scaled_dot_product_attention", attention):
        copy(images)[:, target].sum().backward()
    return (images * images.grad).detach().numpy()


def captum_deep_lift(net: Any, x: Array, target: int, stabiliser: float) -> Array:
    images = torch.from_numpy(x.copy())
    return attr.DeepLift(deepcopy(net)).attribute(images, torch.zeros_like(images), target=target).detach().numpy()


def captum_deep_lift_shap(net: Any, x: Array, target: int, stabiliser: float) -> Array:
    images = torch.from_numpy(x.copy())
    return attr.DeepLiftShap(deepcopy(net)).attribute(images, backgrounds(images), target=target).detach().numpy()


def backgrounds(images: Any) -> Any:
    """Black, white and grey images to compare with, (3, C, H, W)."""
    return torch.stack([torch.full_like(images[0], value) for value in (0.0, 1.0, 0.5)])


def captum_layer(kind: Any, steps: int) -> Callable[[str], Peer]:
    """Its methods of a layer, from black images, by Gauss-Legendre's rule."""

    def of_layer(layer: str) -> Peer:
        def run(net: Any, x: Array, target: int, stabiliser: float) -> Array:
            images, copy = torch.from_numpy(x.copy()), deepcopy(net)
            found = kind(copy, copy.get_submodule(layer))
            return found.attribute(images, torch.zeros_like(images), target=target, n_steps=steps).detach().numpy()

        return run

    return of_layer
