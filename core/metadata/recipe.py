"""How a model is made, so that it can be pickled: from what it was wrapped, with which options, what was changed since.

A model of a file is pickled by the file's path, and its digest tells whether the file is still the same. A model of an
object of a framework is pickled with the object, where the framework can pickle it.
"""

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ModelError

__all__ = ["Recipe", "rebuild", "recipe_of"]


@dataclass(frozen=True)
class Recipe:
    """What makes a model again."""

    wrap: Callable[..., Any]
    """`crosslens.wrap`, or a function of a module with the same parameters."""
    network: Any
    """An object of a framework, a path, or "demo:NAME"; bytes of a pickled object once it is packed."""
    options: Mapping[str, Any]
    changes: tuple[tuple[str, tuple[Any, ...], Mapping[str, Any]], ...] = ()
    """Methods of the model that were called since, each of which gave the next model."""
    folder: Path | None = None
    """Where a relative path began."""
    digest: str | None = None
    """Of a model that is made from its file again: what it must be."""

    def then(self, method: str, *given: Any, **named: Any) -> "Recipe":
        """The recipe of the model that a method of this one gives."""
        return replace(self, changes=(*self.changes, (method, given, named)))

    def packed(self, model: Any) -> "Recipe":
        """The recipe of this model as it is pickled: a file's with its digest, an object's with the object's bytes.

        Raises:
            ModelError: the framework cannot pickle the object.
        """
        if isinstance(self.network, Path | str):
            return replace(self, digest=model.digest)
        try:
            return replace(self, network=pickle.dumps(self.network))
        except Exception as error:
            kind = f"{type(self.network).__module__}.{type(self.network).__qualname__}"
            reason = " ".join(str(error).split())
            raise ModelError(
                f"this model is of a {kind}, which cannot be pickled: {reason}. Wrap the file that it is saved in, "
                "which is pickled by its path, or define its class in a module of its own"
            ) from error

    def build(self) -> Any:
        """The model.

        Raises:
            ModelError: the file is not there any more, or is of another network.
        """
        network = self.network
        if isinstance(network, bytes):
            network = pickle.loads(network)
        elif isinstance(network, str | Path):
            network = self._existing()
        model = self.wrap(network, **self.options)
        for method, given, named in self.changes:
            model = getattr(model, method)(*given, **named)
        if self.digest is not None and model.digest != self.digest:
            raise ModelError(
                f"'{network}' is not the network that was pickled: its digest is {model.digest}, not {self.digest}. "
                "The file has changed since, or other versions of the packages read it in another way"
            )
        return model

    def _existing(self) -> Any:
        """The file where it was, else by the same relative path from here."""
        if str(self.network).startswith("demo:"):
            return self.network
        places = [(self.folder or Path()) / self.network, Path(self.network)]
        for place in places:
            if place.exists():
                return place
        raise ModelError(
            f"the pickled model is of the file '{places[0]}', which is not there: put it back, or wrap the framework's "
            "own object before pickling, such as onnx.load(path), which is pickled whole"
        )


def recipe_of(model: Any, wrap: Callable[..., Any], network: Any, options: Mapping[str, Any]) -> Recipe | None:
    """The recipe of a model that has just been wrapped; None where pickle takes the model itself.

    Args:
        model: what was made.
        wrap: what made it.
        network: what it was made of.
        options: those that were given.
    """
    if not isinstance(network, str | Path) and model.pickles_whole:
        return None
    given = {name: value.resolve() if isinstance(value, Path) else value for name, value in options.items()}
    text = given.get("preprocess")
    if isinstance(text, str) and text.lower().endswith(".json"):
        given["preprocess"] = Path(text).resolve()
    return Recipe(wrap, network, given, folder=Path.cwd())


def rebuild(recipe: Recipe, settings: Mapping[str, Any]) -> Any:
    """The model of a recipe, with the settings that a user gave it since."""
    model = recipe.build()
    for name, value in settings.items():
        setattr(model, name, value)
    return model
