"""HTML that escapes by construction: text becomes markup only inside an element."""

from html import escape

__all__ = ["Markup", "anchor", "element", "join", "section"]

_VOID = {"img", "input"}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: str | float | None) -> Markup:
    """An element. Children that are not `Markup` are escaped, and so is every attribute; `class_` is written `class`.

    >>> element("p", "1 < 2", class_="note")
    '<p class="note">1 &lt; 2</p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>" + ("" if name in _VOID else f"{join(*children)}</{name}>"))


def join(*children: str) -> Markup:
    """Children one after the other; those that are not `Markup` are escaped."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child, quote=False) for child in children))


def section(title: str, *content: str) -> Markup:
    """A part of the page under its heading, with an id to link to; nothing if it has no content."""
    return element("section", element("h2", title), *content, id=anchor(title)) if any(content) else Markup()


def anchor(title: str) -> str:
    """The id of the part of this title.

    >>> anchor("Layer by layer")
    'layer-by-layer'
    """
    return title.lower().replace(" ", "-")
