"""The zoo's networks on every backend that has a builder in tests/zoo: found there, listed nowhere."""

from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from crosslens.testing import Net

from .plans import PLANS, SHAPE, plan

BUILDERS = tuple(sorted(path.stem for path in (Path(__file__).parents[1] / "zoo").glob("*.py")))


@cache
def builder(backend: str) -> ModuleType:
    return import_module(f"..zoo.{backend}", __package__)


@cache
def net(backend: str, name: str) -> Net:
    """A network of the zoo on a backend; the framework is imported when it is built."""
    steps = plan(name)
    return Net(
        f"{backend}-{name}",
        lambda: builder(backend).build(steps, SHAPE),
        {"preprocess": None, "input_shape": SHAPE},
        state=lambda network: builder(backend).state(network),
        smooth=name == "smooth",
        follows={step.name: step.reads[0] for step in steps if len(step.reads) == 1},
    )


def nets(*names: str) -> list[Net]:
    return [net(backend, name) for name in names or PLANS for backend in BUILDERS]
