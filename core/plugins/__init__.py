"""Finding methods and backends by their entry points, and turning a user's network into a `Model`."""

from .hookspecs import hookimpl
from .registry import (
    BACKENDS,
    METHODS,
    Listing,
    Plugin,
    backends,
    load,
    method,
    method_class,
    methods,
    plugin,
    plugins,
)

__all__ = [
    "BACKENDS",
    "METHODS",
    "Listing",
    "Plugin",
    "backends",
    "hookimpl",
    "load",
    "method",
    "method_class",
    "methods",
    "plugin",
    "plugins",
]
