"""All families, by name. Each module of cases is imported only when its family runs."""

import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from .frame.case import Case
from .frame.family import Family, case_folder

__all__ = ["FAMILIES"]


def _damaged_bytes(action: str, names: tuple[str, ...]) -> Callable[[int, Path], Iterator[Case]]:
    """Bytes of sound files are changed, and the file is opened as `actions` says."""

    def drawn(seed: int, folder: Path) -> Iterator[Case]:
        from .frame.mutation import mutated, mutated_member
        from .sound_files import sound

        random, act = Random(f"{seed} {action}"), getattr(import_module(f"{__package__}.actions"), action)
        for number in count():
            name, other = random.choice(names), random.choice(names)
            change = random.choice((mutated, mutated_member)) if zipfile.is_zipfile(BytesIO(sound(name))) else mutated
            content, done = change(sound(name), random, sound(other))
            inside = case_folder(folder, number)
            (inside / name).write_bytes(content)
            path = inside / name
            yield Case(name=f"{number} {name}: {done}", folder=inside, call=_bound(act, path), intact=(path,))

    return drawn


def _bound(act: Callable[[Any], object], value: Any) -> Callable[[], object]:
    return partial(act, value)


def _of_module(module: str, function: str, action: str = "") -> Callable[..., Iterator[Case]]:
    """The cases of a generator in a module of this folder: (name, what), what being a file, words, or a function.

    Args:
        module: its name.
        function: takes a folder, or a seed and a folder.
        action: what `actions` does with a file.
    """

    def cases(*given: Any) -> Iterator[Case]:
        folder = given[-1]
        made: Iterator[Any] = getattr(import_module(f"{__package__}.{module}"), function)(*given)
        for number, each in enumerate(made):
            yield each if isinstance(each, Case) else _case(each[0], each[1], folder, number, action)

    return cases


def _case(name: str, what: Any, folder: Path, number: int, action: str) -> Case:
    if isinstance(what, Path):
        path = what
        if path.parent == folder:
            path = case_folder(folder, f"{number}-") / what.name
            what.rename(path)
        act = getattr(import_module(f"{__package__}.actions"), action)
        intact = (path,) if path.is_file() else ()
        return Case(name=name, folder=path.parent, call=_bound(act, path), intact=intact)
    inside = case_folder(folder, f"{number}-{name}")
    return Case(name=name, folder=inside, call=what) if callable(what) else Case(name=name, folder=inside, words=what)


def _pictures(seed: int, folder: Path) -> Iterator[Case]:
    from .picture_files import damaged_pictures

    for number, (name, path) in enumerate(damaged_pictures(folder, seed, 10**9)):
        yield _case(name, path, folder, number, "read_picture")


def _onnx(seed: int, folder: Path) -> Iterator[Case]:
    from .onnx_files import file_case

    for number in count():
        name, path = file_case(seed, number, folder)
        yield _case(name, path, folder, number, "explain_model")


def _parameters(seed: int, folder: Path) -> Iterator[Case]:
    """Command lines with hostile values, on small networks of every kind."""
    from .parameter_cases import Places, parameter_cases
    from .sound_files import sound

    read = case_folder(folder, "read")
    (read / "data").mkdir(exist_ok=True)
    files = ["net.onnx", "net.pt2", "net.keras", "cat.png", "data/cat.png", "data/cat.jpg"]
    for name in files:
        (read / name).write_bytes(sound(Path(name).name))
    models = ["crosslens.testing:TinyModel", *(str(read / name) for name in files[:3])]
    places = Places(models, str(read / "cat.png"), str(read / "data"))
    intact = tuple(read / name for name in files)
    for number, (name, words) in enumerate(parameter_cases(seed, 10**9, places)):
        yield Case(name=name, folder=case_folder(folder, number), words=words, intact=intact)


def _outputs(folder: Path) -> Iterator[Case]:
    from .output_cases import cases, failure, make_desk

    def check(each: Any, desk: Path) -> None:
        wrong = failure(each, desk)
        if wrong.startswith("traceback"):
            raise RuntimeError(wrong)
        assert not wrong, wrong

    for number, each in enumerate(cases()):
        desk = case_folder(folder, number)
        make_desk(desk)
        yield Case(name=each.name, folder=desk, call=partial(check, each, desk))


def _structures(seed: int, folder: Path) -> Iterator[Case]:
    """Members, JSON and HDF5 of archives of models are changed as structures."""
    from .model_files import mutated_files
    from .sound_files import sound

    names = ("net.pt2", "net.keras", "net.h5")
    sources = []
    for number, name in enumerate(names):
        place = case_folder(folder, f"sound-{number}")
        (place / name).write_bytes(sound(name))
        sources.append(mutated_files(place / name, case_folder(folder, f"written-{number}"), seed, 10**9))
    for number in count():
        name, path = next(sources[number % len(sources)])
        inside = case_folder(folder, number)
        moved = path.rename(inside / path.name)
        act = import_module(f"{__package__}.actions").explain_model
        yield Case(name=f"{number} {name}", folder=inside, call=_bound(act, moved))


def _data_files(seed: int, folder: Path) -> Iterator[Case]:
    from .data_files import damaged_data

    for number, (name, path) in enumerate(damaged_data(folder, seed, 10**9)):
        yield _case(name, path, folder, number, "read_data")


def _results(seed: int, folder: Path) -> Iterator[Case]:
    from .data_files import damaged_results

    for number, (name, path) in enumerate(damaged_results(folder, seed, 10**9)):
        yield _case(name, path, folder, number, "load_result")


PICTURES = ("cat.png", "cat.jpg", "cat.gif", "cat.tif", "cat.webp", "cat.ppm")
_FAMILIES = [
    Family("onnx", _of_module("onnx_named", "named_cases", "explain_model"), _onnx, (20, 10), every=9),
    Family("structures of models", None, _structures, (0, 8)),
    Family("pictures", _of_module("picture_files", "hostile_pictures", "read_picture"), _pictures, (8, 10), every=8),
    Family("data", _of_module("data_files", "hostile_data", "read_data"), _data_files, (6, 6), every=10),
    Family("results", None, _results, (0, 5)),
    Family("parameters", None, _parameters, (0, 6)),
    Family("outputs", _outputs, None, (2, 0), every=300),
    Family("containers", _of_module("containers", "containers"), None, (40, 0)),
    Family("misnamed files", _of_module("file_kinds", "misnamed"), None, (14, 0), every=23),
    Family("special files", _of_module("file_kinds", "special"), None, (14, 0), every=13),
    Family("environment", _of_module("environments", "environments"), None, (2, 0), every=40),
    Family("interruptions", None, _of_module("interruptions", "interrupted"), (0, 2)),
    Family("long runs", _of_module("long_runs", "long_runs"), None, (2, 0)),
    Family("bytes of onnx", None, _damaged_bytes("explain_model", ("net.onnx",)), (0, 12)),
    Family("bytes of torch", None, _damaged_bytes("explain_model", ("net.pt2", "net.pt")), (0, 6)),
    Family("bytes of keras", None, _damaged_bytes("explain_model", ("net.keras", "net.h5")), (0, 6)),
    Family("bytes of pictures", None, _damaged_bytes("read_picture", PICTURES), (0, 12)),
    Family("bytes of arrays", None, _damaged_bytes("read_array", ("a.npy", "a.npz")), (0, 12)),
]

_MODULES = {
    "onnx": "onnx_named",
    "structures of models": "model_files",
    "pictures": "picture_files",
    "data": "data_files",
    "results": "data_files",
    "parameters": "parameter_cases",
    "outputs": "output_cases",
}
FAMILIES = [each for each in _FAMILIES if find_spec(f"{__package__}.{_MODULES.get(each.name, 'actions')}")]
"""Those whose module of cases is there."""
