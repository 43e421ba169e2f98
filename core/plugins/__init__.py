"""Finding methods and backends by their entry points, and turning a user's network into a `Model`."""

from .hookspecs import hookimpl
from .registry import (
    BACKENDS,
    METHODS,
    Listing,
    Plugin,
    backends,
    image_method_class,
    image_methods,
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
    "image_method_class",
    "image_methods",
    "load",
    "method",
    "method_class",
    "methods",
    "plugin",
    "plugins",
]
