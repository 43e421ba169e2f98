"""Finding methods and backends by their entry points, and turning a user's network into a `Model`."""

from .demo_network import DemoNetwork
from .hookspecs import hookimpl
from .registry import (
    BACKENDS,
    DEMO_NETWORKS,
    METHODS,
    Listing,
    Plugin,
    backends,
    demo_networks,
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
    "DEMO_NETWORKS",
    "METHODS",
    "DemoNetwork",
    "Listing",
    "Plugin",
    "backends",
    "demo_networks",
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
