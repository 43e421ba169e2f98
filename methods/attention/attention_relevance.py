"""Relevance through attention weighted by gradients (Chefer et al., 2021, https://arxiv.org/abs/2103.15679)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from crosslens.arrays import Array, like, namespace, relu
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import attention_maps
from crosslens.method import Method
from crosslens.model import Model
from crosslens.objective import Objective, pullback
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

from ._patch_map import patch_map


@dataclass(frozen=True, kw_only=True)
class AttentionRelevance(Method):
    """Patches that speak for the target, by attention.

    Which patches speak for the target through a transformer's attention, each weight counted by its gradient.

    Equations 5 and 6 of the paper, for self-attention: R starts as I, and each layer in turn adds W R to it, W the mean
    over heads of relu(dy/dA A). Row of the class token, or the mean over rows without one. Needs a transformer whose
    attention weights are layers.
    """

    name = "attention_relevance"
    needs_attention = True

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Maps (N, h, w) at the resolution of the patches, nowhere negative."""
        layers = attention_maps(model)
        pull, scores = pullback(model, images, objective, wrt=layers, capture=layers)
        xp = namespace(images)
        count = pull.activations[layers[0]].shape[2]
        relevance = like(np.eye(count, dtype=np.float32), images)[None, :, :]
        for name in layers:
            weights = xp.mean(relu(pull.gradients[name] * pull.activations[name]), axis=1)
            relevance = relevance + weights @ relevance
        return Attribution(patch_map(relevance, images.shape[2:]), scores=scores, provenance={"layers": layers})


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [AttentionRelevance]
