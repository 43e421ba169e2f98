"""The conformance kit: the promises of a backend and of a method, as functions, for outsiders and for us.

    from crosslens import testing

    @testing.parametrize("grad_cam")                              # a method, on images or over a data set
    def test_method(check):
        check()

    @testing.parametrize(testing.Net("mine", my_network))         # a backend, by a network that it wraps
    def test_backend(check):
        check()

`testing.checks(...)` gives the same without pytest.
"""

from .assertions import refused, same
from .net import Net
from .promise import (
    Check,
    Unsuited,
    backend_promise,
    checks,
    dataset_method_promise,
    method_promise,
    parametrize,
    promises_about,
)
from .tiny import TinyModel

__all__ = [
    "Check",
    "Net",
    "TinyModel",
    "Unsuited",
    "backend_promise",
    "checks",
    "dataset_method_promise",
    "method_promise",
    "parametrize",
    "promises_about",
    "refused",
    "same",
]
