"""How a survey's network and images were named, so that both can be opened again from its folder."""

import json
from collections.abc import Mapping
from typing import Any

from ..data.source import Source
from ..data.sources import adapters
from ..errors import ModelError, ParameterError
from ..method.provenance import json_value, provenance
from ..model.base import Model
from ..plugins.wrap import wrap
from ..result.strict_json import dumps

__all__ = ["given", "open_model_again", "open_source_again"]

_OPTIONS = (
    "preprocess", "labels", "batch_size", "input_shape", "bounds", "output", "output_kind", "device", "providers",
)  # fmt: skip
"""Options of `crosslens.wrap` that are kept. `trust` is not: who opens a file says anew that it may run code."""


def given(model: Model, source: Source) -> Mapping[str, Any]:
    """What a manifest holds of both; nothing of a network or images that are objects of a program."""
    found: dict[str, Any] = {}
    changed = model.recipe is not None and model.recipe.changes
    if model.named is not None and not changed:
        text, asked = model.named
        options = {name: asked[name] for name in _OPTIONS if asked.get(name) is not None}
        if all(map(_is_plain, options.values())):
            found["model"] = {"network": text, "options": options}
    if source.named is not None:
        found["data"] = dict(zip(("text", "resize", "crop"), source.named, strict=True))
    return found


def open_model_again(manifest: Mapping[str, Any], network: Any = None, **options: Any) -> Model:
    """The network that a survey is of.

    Args:
        manifest: the survey's.
        network: what `crosslens.wrap` takes, or a `Model`, instead of what the manifest names.
        options: of `crosslens.wrap`, before those that the manifest holds.

    Raises:
        ModelError: it cannot be opened, or it is another network than the survey's.
    """
    known = manifest.get("given", {}).get("model")
    if network is None and known is None:
        raise ModelError(
            f"the survey is of {manifest['model']['made_of']}, which was no file: give the network, model="
        )
    if isinstance(network, Model):
        model = network
    else:
        kept = dict(known["options"]) if known else {}
        if isinstance(kept.get("input_shape"), list):
            kept["input_shape"] = tuple(kept["input_shape"])
        chosen = {name: value for name, value in options.items() if value is not None}
        model = wrap(known["network"] if network is None else network, **{**kept, **chosen})
    if model.digest != manifest["model"]["digest"]:
        raise ModelError(
            f"this network is not the one of the survey, {manifest['model']['made_of']}: their digests are "
            f"{model.digest} and {manifest['model']['digest']}. Give the file, and the preprocessing, of then"
        )
    facts = provenance(model, None, 0.0)
    for name in ("preprocess", "bounds"):
        now, then = json.loads(dumps(json_value(facts[name]))), manifest["model"][name]
        if now != then:
            raise ModelError(
                f"the survey was made with {name} {then}, and this network has {now}: give {name}= of then"
            )
    return model


def open_source_again(manifest: Mapping[str, Any], data: Any = None) -> Source | None:
    """The images that a survey is of; None where they were objects of a program and are not given.

    Args:
        manifest: the survey's.
        data: a `crosslens.Source`, or what `crosslens.data` makes one of, instead of what the manifest names.

    Raises:
        ParameterError: they are other images than the survey's.
        ImageError: they are not there.
    """
    known = manifest.get("given", {}).get("data")
    if data is None and known is None:
        return None
    source = (
        adapters.data(known["text"], resize=known["resize"], crop=known["crop"])
        if data is None
        else adapters.data(data)
    )
    if manifest["source"]["digest"] not in {source.digest, source.images_only().digest}:
        raise ParameterError(
            f"{source} does not hold the images of the survey, {manifest['source']['words']}: give those"
        )
    return source


def _is_plain(value: Any) -> bool:
    """Whether JSON can hold a value and give it back."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_is_plain, value.values()))
    return isinstance(value, str | int | float | bool)
