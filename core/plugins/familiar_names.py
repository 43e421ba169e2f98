"""Names under which people know a method from elsewhere: other spellings of ours, and the aliases that methods declare.

They are looked at where a name is not found as it is; no list of them stands anywhere else.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from ..errors import PluginError
from ..method.dataset import AnyMethod

__all__ = ["Familiar", "declared", "familiar", "nearest", "spelling"]


class Familiar(NamedTuple):
    """What a name from elsewhere means here."""

    name: str
    """The method's own."""
    difference: str = ""
    """How what others call so differs from it, in words; empty where it is the same."""


def spelling(name: str) -> str:
    """What is left of a name without case, hyphens, underscores and spaces.

    >>> spelling("Grad-CAM++") == spelling("grad_cam_plus_plus") == spelling("GradCAMPlusPlus")
    True
    """
    text = name.lower().replace("+", "plus").replace("×", "x").replace("*", "x")
    return "".join(character for character in text if character.isalnum())


def familiar(name: str, names: Iterable[str], classes: Callable[[], Iterable[type[AnyMethod]]]) -> Familiar | None:
    """The method that a name means; None if none is known by it.

    Args:
        name: not a method's own as it is.
        names: of all methods.
        classes: gives their classes, which hold the aliases; called where the spelling alone does not tell.

    Raises:
        PluginError: two methods claim the name as an alias.
    """
    wanted = spelling(name)
    if not wanted:
        return None
    if same := [own for own in names if spelling(own) == wanted]:
        return Familiar(same[0])
    claims = {
        kind.name: text
        for kind in classes()
        for alias, text in declared(kind, "aliases").items()
        if spelling(alias) == wanted
    }
    if len(claims) > 1:
        raise PluginError(f"{name!r} is another name of {' and of '.join(sorted(claims))}; give one of these")
    return next((Familiar(own, text) for own, text in claims.items()), None)


def declared(kind: type[AnyMethod], what: str) -> Mapping[str, str]:
    """The `aliases` or `nearest_to` of a class itself, without those of a method that it builds on."""
    names: Mapping[str, str] = vars(kind).get(what, {})
    return names


def nearest(name: str, classes: Iterable[type[AnyMethod]]) -> str:
    """A sentence on a method that crosslens does not have, with the nearest that it has; empty where nobody says so."""
    wanted = spelling(name)
    near = [
        f"{kind.name} ({text})"
        for kind in classes
        for other, text in declared(kind, "nearest_to").items()
        if spelling(other) == wanted
    ]
    return f"crosslens has no method {name!r} yet; the nearest is {', or '.join(near)}" if near else ""
