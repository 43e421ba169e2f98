"""Min of tensors with broadcasting: dy goes to the first that is smallest."""

from ..registry import vjp
from ._selection import select_cotangents

min_ = vjp("Min", since=8, broadcasts=True)(select_cotangents)
