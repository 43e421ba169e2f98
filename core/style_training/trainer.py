"""Finding the plugin that trains style networks."""

from ..errors import ModelError
from ..plugins.registry import STYLE_TRAINERS, load, plugin, plugins
from ..style_network.spec import StyleSpec
from ..style_network.trainable import BuildTrainable, Trainable

__all__ = ["trainable"]


def trainable(spec: StyleSpec, seed: int) -> Trainable:
    """A style network with random weights in the framework that trains it.

    Raises:
        ModelError: no plugin offers training.
        PluginError: the framework is not installed; the message names the extra.
    """
    for each in plugins(STYLE_TRAINERS):
        offered: list[BuildTrainable] = load(plugin(STYLE_TRAINERS, each.name)).hook.crosslens_style_trainer()
        for build in offered:
            return build(spec, seed)
    raise ModelError("no plugin offers to train style networks; `crosslens plugins` lists those there are")
