"""Methods over a data set as users give them: names, objects, classes; one or several."""

from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import ParameterError
from ..method.base import Method
from ..method.dataset import DatasetMethod
from ..plugins.registry import method_class, with_parameters

__all__ = ["dataset_methods"]


def dataset_methods(given: Any) -> list[DatasetMethod]:
    """The methods in their order; two that are equal are one.

    Args:
        given: a name, "top_examples", a method of `crosslens.method`, its class, or several of these in a list.

    Raises:
        ParameterError: none, or something else; a method on single images, with the call that takes it.
        PluginError: no method of that name.
    """
    several = list(given) if isinstance(given, Sequence | Iterator) and not isinstance(given, str) else [given]
    if not several:
        raise ParameterError("a sweep takes one method or more; `crosslens methods` lists those over a data set")
    chosen = list[DatasetMethod]()
    for each in map(_dataset_method, several):
        if each not in chosen:
            chosen.append(each)
    return chosen


def _dataset_method(given: Any) -> DatasetMethod:
    kind = method_class(given) if isinstance(given, str) else given
    single = kind if isinstance(kind, Method) else kind if isinstance(kind, type) and issubclass(kind, Method) else None
    if single is not None:
        raise ParameterError(
            f"{single.name} explains single images, and a sweep takes methods over a data set: "
            f"crosslens.run_pictures(crosslens.method('{single.name}'), model, pictures, out), or in the shell "
            f"`crosslens run {single.name} MODEL FOLDER -o OUT/`, runs it on each of many pictures"
        )
    if isinstance(kind, DatasetMethod):
        return kind
    if isinstance(kind, type) and issubclass(kind, DatasetMethod):
        return with_parameters(kind, {})
    raise ParameterError(
        f"a method is a name, 'mean_activation' for example, or what crosslens.method gives; this is "
        f"{type(given).__name__}. The order is sweep(model, data, methods)"
    )
