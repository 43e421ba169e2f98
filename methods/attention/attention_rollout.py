"""Attention rollout (Abnar and Zuidema, 2020, https://arxiv.org/abs/2005.00928, section 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from crosslens.arrays import Array, namespace
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import attention_maps
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

from ._patch_map import patch_map, with_identity

HEADS = ("mean", "max", "min")


@dataclass(frozen=True, kw_only=True)
class AttentionRollout(Method):
    """Patches that a transformer's class token looks at.

    Which patches a transformer's class token has looked at, through all layers; no target, no gradient.

    Equation 1 of the paper: R = A_L ... A_1 with A = (W + I) / 2, W a layer's attention averaged over heads and I the
    residual connection. Row of the class token, or the mean over rows without one. Needs a transformer whose attention
    weights are layers.
    """

    name = "attention_rollout"
    aliases: ClassVar[Mapping[str, str]] = {
        "rollout": "",
        "vit_rollout": "",
    }
    needs_target = False
    needs_attention = True
    heads: str = param("mean", "how a layer's heads are put together", choices=HEADS)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Maps (N, h, w) at the resolution of the patches, nowhere negative; with the tokens in front they sum to 1."""
        layers = attention_maps(model)
        attention = model.forward(images, layers)
        xp = namespace(images)
        rollout: Array | None = None
        for name in layers:
            mixed = with_identity(getattr(xp, self.heads)(attention[name], axis=1))
            mixed = mixed / xp.sum(mixed, axis=2, keepdims=True)
            rollout = mixed if rollout is None else mixed @ rollout
        return Attribution(patch_map(rollout, images.shape[2:]), provenance={"layers": layers})


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [AttentionRollout]
