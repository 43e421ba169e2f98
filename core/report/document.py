"""One HTML file that needs nothing else: template, style and script, under a policy that lets no other script run."""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from string import Template

from .markup import Markup, join

__all__ = ["document"]


def document(title: str, body: Markup) -> str:
    """The file as text."""
    script = _file("page.js")
    filled = {"title": join(title), "style": _file("page.css"), "body": body, "script": script}
    return Template(_file("page.html")).substitute(filled, digest=_digest(script))


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    """What the page's policy lets run: this script and no other."""
    return b64encode(sha256(f"\n{script}\n".encode()).digest()).decode()
