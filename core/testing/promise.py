"""A promise is a function with a claim as its docstring; a check is a promise about one network or one method.

Without pytest, `for check in checks(subject): check()`, which raises `Unsuited` where a promise says nothing. With it:

    @testing.parametrize(testing.Net("mine", my_network))
    def test_my_backend(check):
        check()
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from inspect import getdoc
from pkgutil import iter_modules
from typing import Any

from ..errors import ParameterError, did_you_mean
from ..method.base import Method
from ..method.dataset import AnyMethod, DatasetMethod
from .net import Net

__all__ = [
    "Check", "Unsuited", "backend_promise", "checks", "dataset_method_promise", "method_promise", "parametrize",
    "promises_about",
]  # fmt: skip

Promise = Callable[[Any], None]
Subject = Net | AnyMethod | type[AnyMethod] | str
_registered: dict[type, dict[str, Promise]] = {Net: {}, Method: {}, DatasetMethod: {}}


class Unsuited(Exception):  # noqa: N818 - no error
    """A promise says nothing about this network or method; the text gives the reason. pytest skips."""


def backend_promise(promise: Promise) -> Promise:
    """Register a function of one `Net`; it raises AssertionError where the network's backend breaks its docstring."""
    return _register(Net, promise)


def method_promise(promise: Promise) -> Promise:
    """Register a function of one `Method`; it raises AssertionError where the method breaks its docstring."""
    return _register(Method, promise)


def dataset_method_promise(promise: Promise) -> Promise:
    """Register a function of one `DatasetMethod`; it raises AssertionError where the method breaks its docstring."""
    return _register(DatasetMethod, promise)


def _register(kind: type, promise: Promise) -> Promise:
    _registered[kind][promise.__name__] = promise
    return promise


@cache
def promises_about(kind: type) -> Mapping[str, Promise]:
    """All promises about a `Net`, a `Method` or a `DatasetMethod`, by name."""
    folder = import_module("crosslens.testing.promises")
    for module in iter_modules(folder.__path__):
        import_module(f"{folder.__name__}.{module.name}")
    return dict(_registered[kind])


@dataclass(frozen=True)
class Check:
    """One promise about one subject; call it. Its text is the promise, for a report."""

    name: str
    subject: Any
    promise: Promise

    @property
    def claim(self) -> str:
        """What is promised, in words."""
        return getdoc(self.promise) or self.name

    def __call__(self) -> None:
        """Check it.

        Raises:
            AssertionError: the promise is broken. Whatever else the subject raises passes through. A note quotes
                the promise.
            Unsuited: it does not apply.
        """
        try:
            self.promise(self.subject)
        except Unsuited:
            raise
        except Exception as error:
            error.add_note(f"{_subject_name(self.subject)} breaks the promise {self.name!r}: {self.claim}")
            raise

    def __str__(self) -> str:
        return f"{_subject_name(self.subject)}-{self.name}"


def checks(*subjects: Subject) -> Iterator[Check]:
    """Every promise about each subject.

    Args:
        subjects: a `Net` to check the backend that wraps it; a `Method` or a `DatasetMethod`, configured or a class,
            or the name of a registered one. A class or a name is configured with its `example`.
    """
    for subject in subjects:
        configured = _instance(subject)
        kind = next(kind for kind in _registered if isinstance(configured, kind))
        yield from (Check(name, configured, promise) for name, promise in promises_about(kind).items())


def _instance(subject: Subject) -> Net | AnyMethod:
    if isinstance(subject, str):
        from ..plugins.registry import method_class

        subject = method_class(subject)
    return subject(**subject.example) if isinstance(subject, type) else subject


def parametrize(*subjects: Subject, broken: Mapping[str, str] | None = None) -> Any:
    """A pytest decorator for a test with one argument, `check`.

    Args:
        subjects: as for `checks`.
        broken: promises known to be broken, by name, with the reason. Each must fail: one that holds again is an error.

    Raises:
        ParameterError: `broken` names a promise that does not exist.
    """
    import pytest

    broken = dict(broken or {})
    found = list(checks(*subjects))
    known = {check.name for check in found}
    for name in broken:
        if name not in known:
            raise ParameterError(f"no promise is called {name!r}.{did_you_mean(name, known)}")

    def case(check: Check) -> Any:
        reason = broken.get(check.name)
        marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
        return pytest.param(_skipping(check), id=str(check), marks=marks)

    return pytest.mark.parametrize("check", [case(check) for check in found])


def _subject_name(subject: Any) -> str:
    return str(getattr(subject, "name", subject))


def _skipping(check: Check) -> Callable[[], None]:
    """The check for pytest: one that does not apply is skipped, with its reason."""
    import pytest

    def run() -> None:
        try:
            check()
        except Unsuited as unsuited:
            pytest.skip(str(unsuited))

    return run
