"""The backends: one package per framework, each registered by the names of what it wraps."""

import sys

from crosslens.plugins import Listing

sys.modules[__name__].__class__ = Listing
