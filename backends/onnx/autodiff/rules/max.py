"""Max of tensors with broadcasting: dy goes to the first that is largest."""

from ..registry import vjp
from ._selection import select_cotangents

max_ = vjp("Max", since=8, broadcasts=True)(select_cotangents)
