"""Commands that would lose a file: outputs over inputs, over foreign files, on full disks, damaged states.

Each case is a short command line in a folder of its own, what is prepared there, and what must hold afterwards:

    python -m tests.hostile.output_cases          all of them, with a line for each that fails
    python -m tests.hostile.output_cases NAME     those with NAME in their name
"""

import os
import re
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from crosslens.cli import cli
from PIL import Image

__all__ = ["Case", "cases", "failure", "make_desk"]

LONGEST = 60
"""Seconds that a case may take."""
TINY = "crosslens.testing:TinyModel"
LEFT_OVER = re.compile(r"(.*/)?\.[0-9a-f]{16}(\.\w+)?")
"""Names of files that are not whole yet."""


def nothing(desk: Path) -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Case:
    """One command line."""

    name: str
    words: str
    """Of the command line, without `crosslens`; separated by spaces."""
    prepare: Callable[[Path], None] = nothing
    """Given the folder, which is the current one when the command runs."""
    code: int = 1
    """The exit code that is right."""
    says: tuple[str, ...] = ()
    """What stderr must hold."""
    changes: tuple[str, ...] = ()
    """Files that may change or appear; all others must be as they were."""
    largest: int | None = None
    """Bytes that a file may have, as on a disk that is full."""
    before: tuple[str, ...] = field(default=())
    """Command lines that run before it and must end with 0."""


def make_desk(desk: Path) -> None:
    """The files that a command reads: pictures, labels, a folder of pictures, a model's module, a finished run."""
    for n, name in enumerate(("photo.png", "style.png", "photo-0002.png", "photo-masked.png", "photo-adversarial.png")):
        _picture(desk / name, n)
    for n, name in enumerate(("photo.jpg", "photo.webp", "photo.gif")):
        _picture(desk / name, n)
    for n in range(3):
        (desk / "photos").mkdir(exist_ok=True)
        _picture(desk / "photos" / f"{n}.png", n)
    np.savez(desk / "data.npz", images=np.random.default_rng(0).random((4, 3, 8, 8), np.float32))
    np.save(desk / "direction.npy", np.ones(3, np.float32))
    (desk / "labels.json").write_text('["a", "b", "c", "d", "e"]')
    (desk / "mean.json").write_text('{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}')
    (desk / "notes").mkdir()


def _picture(path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), np.uint8)
    Image.fromarray(pixels).save(path)


# Ways to name a file once more ---------------------------------------------------------------------------------------


def _symlink(desk: Path, name: str) -> str:
    (desk / f"link{Path(name).suffix}").symlink_to(desk / name)
    return f"link{Path(name).suffix}"


def _hard_link(desk: Path, name: str) -> str:
    os.link(desk / name, desk / f"hard{Path(name).suffix}")
    return f"hard{Path(name).suffix}"


def _linked_folder(desk: Path, name: str) -> str:
    (desk / "again").symlink_to(desk, target_is_directory=True)
    return f"again/{name}"


WAYS: dict[str, Callable[[Path, str], str]] = {
    "same": lambda desk, name: name,
    "dot": lambda desk, name: f"./{name}",
    "absolute": lambda desk, name: str(desk / name),
    "up": lambda desk, name: f"notes/../{name}",
    "symlink": _symlink,
    "hard": _hard_link,
    "folder": _linked_folder,
}

READING = {
    "gradient-png": ("run gradient {tiny} photo.png -o {out}", "photo.png"),
    "gradient-jpg": ("run gradient {tiny} photo.jpg -o {out}", "photo.jpg"),
    "gradient-webp": ("run gradient {tiny} photo.webp -o {out}", "photo.webp"),
    "gradient-folder": ("run gradient {tiny} photos -o {out}", "photos/1.png"),
    "gradient-pattern": ("run gradient {tiny} photos/*.png -o {out}", "photos/1.png"),
    "dream": ("run deep_dream {tiny} photo.png --steps 1 --octaves 1 --size 8 -o {out}", "photo.png"),
    "dream-guide": ("run deep_dream {tiny} photo.png --guide style.png --steps 1 --size 8 -o {out}", "style.png"),
    "history": ("run deep_dream {tiny} photo.png --steps 1 --size 8 -o x.png --history {out}", "photo.png"),
    "region": ("run gradient {tiny} photo.png --target region:conv:0:style.png -o {out}", "style.png"),
    "arithmetic": ("run gradient {tiny} photo.png --target (region:conv:0:style.png+1)/2 -o {out}", "style.png"),
    "resume": ("run activation_maximisation {tiny} --target 1 --steps 3 --resume data.npz -o {out}", "data.npz"),
    "statistics-npz": ("run unit_statistics {tiny} data.npz -o {out}", "data.npz"),
    "search": ("search deep_dream {tiny} photo.png --steps 1 --size 8 --trials 1 -o {out}", "photo.png"),
    "search-resume": (
        "search activation_maximisation {tiny} --target 1 --steps 1 --trials 1 --resume data.npz -o {out}", "data.npz",
    ),
    "compare-labels": (
        "compare gradient {tiny} {tiny} --images photo.png --labels labels.json -o {out}", "labels.json",
    ),
    "compare-json": (
        "compare gradient {tiny} {tiny} --images photo.png --labels labels.json --json {out}", "labels.json",
    ),
    "preprocess": ("compare gradient {tiny} {tiny} --images photo.png --preprocess mean.json -o {out}", "mean.json"),
    "checkpoints": ("checkpoints {tiny} {tiny} --data photos -o {out}", "photos/1.png"),
    "checkpoints-npz": ("checkpoints {tiny} {tiny} --data data.npz -o {out}", "data.npz"),
    "transfer": ("transfer {tiny} {tiny} --images data.npz --attack fgsm -o {out}", "data.npz"),
    "hold": ("run gradient {tiny} photo.png --hold mask=data.npy -o {out}", ""),
}  # fmt: skip


def over_inputs() -> Iterator[Case]:
    """The output is a file that is read."""
    for label, (line, name) in READING.items():
        for way, other in WAYS.items() if name else ():
            if way == "hard" and "/" in name:
                continue

            def prepare(desk: Path, name: str = name, other: Callable[[Path, str], str] = other) -> None:
                (desk / "OUT").write_text(other(desk, name))

            for more in ("", " --overwrite"):
                kind = f"over-input/{label}/{way}{more.replace(' --', '-')}"
                yield Case(kind, line.format(tiny=TINY, out="{OUT}") + more, prepare, says=("is read by this command",))


# Files that crosslens did not write ----------------------------------------------------------------------------------

WRITING = {
    "map": ("run gradient {tiny} photo.png -o {out}", (".png", ".jpg", ".webp", ".npz")),
    "maps": ("run gradient {tiny} photos -o {out}", (".png", ".npz")),
    "climb": (
        "run activation_maximisation {tiny} --target 1 --steps 2 -o {out}", (".png", ".jpg", ".webp", ".npz"),
    ),
    "film": ("run activation_maximisation {tiny} --target 1 --steps 2 --every 1 -o {out}", (".gif", ".webp", ".npz")),
    "history": (
        "run activation_maximisation {tiny} --target 1 --steps 2 -o x.npz --history {out}", (".png", ".svg"),
    ),
    "attack": ("run fgsm {tiny} photo.png -o {out}", (".png", ".npz")),
    "insertion": ("run insertion {tiny} photo.png --method gradient -o {out}", (".npz",)),
    "statistics": ("run unit_statistics {tiny} photos -o {out}", (".npz", ".png")),
    "examples": ("run top_examples {tiny} photos -o {out}", (".npz", ".png")),
    "neighbours": ("run nearest_neighbours {tiny} photos -o {out}", (".npz", ".png", ".csv")),
    "embedding": ("run embedding {tiny} photos --layout pca -o {out}", (".npz", ".png")),
    "robustness": (
        "run robustness_curve {tiny} photos --eps 0.1,0.2 -o {out}", (".npz", ".json", ".svg", ".csv", ".parquet"),
    ),
    "search": (
        "search activation_maximisation {tiny} --target 1 --steps 1 --trials 2 -o {out}", (".png", ".npz"),
    ),
    "compare": ("compare gradient {tiny} {tiny} --images photo.png -o {out}", (".html", ".json")),
    "compare-json": ("compare gradient {tiny} {tiny} --images photo.png --json {out}", (".json",)),
    "checkpoints": (
        "checkpoints {tiny} {tiny} --data photos --layout pca -o {out}", (".png", ".jpg", ".gif", ".npz"),
    ),
    "transfer": ("transfer {tiny} {tiny} --images photos --attack fgsm -o {out}", (".npz", ".html", ".json", ".csv")),
}  # fmt: skip


def _foreign(path: str) -> Callable[[Path], None]:
    """A file of the user's own: a picture where the ending says so, else text or arrays."""

    def prepare(desk: Path) -> None:
        suffix = Path(path).suffix
        if suffix in {".png", ".jpg", ".webp", ".gif"}:
            _picture(desk / path, 9)
        elif suffix == ".npz":
            np.savez(desk / path, mine=np.ones(3))
        else:
            (desk / path).write_text('{"mine": "a,b"}\n')

    return prepare


def over_foreign_files() -> Iterator[Case]:
    """The output exists and is the user's own; with --overwrite it is replaced; what crosslens wrote is too."""
    for label, (line, endings) in WRITING.items():
        for ending in endings:
            out = f"mine{ending}"
            words, kept = line.format(tiny=TINY, out=out), (f"{out}.npz", "x.npz")
            name = f"{label}{ending}"
            says = (f"'{out}'", "--overwrite")
            yield Case(f"foreign/{name}", words, _foreign(out), says=says, changes=kept)
            changes = (out, *kept, *(f"mine-{each}{ending}" for each in ("masked", "adversarial")))
            yield Case(f"overwrite/{name}", f"{words} --overwrite", _foreign(out), 0, changes=changes)
            yield Case(f"twice/{name}", words, code=0, before=(words,), changes=changes)


def over_files_beside() -> Iterator[Case]:
    """What is written beside an output is the user's own, or is read."""
    for beside, words in {
        "mine-masked.png": f"run maco {TINY} --target 1 --steps 2 -o mine.png",
        "mine-adversarial.png": f"run fgsm {TINY} photo.png -o mine.png",
    }.items():
        yield Case(f"beside/{beside}", words, _foreign(beside), says=(f"'{beside}'",), changes=("mine.png",))
        yield Case(
            f"beside-overwrite/{beside}", f"{words} --overwrite", _foreign(beside), 0, changes=("mine.png", beside)
        )
    for read in ("photo-0002.png", "photo-masked.png", "photo-adversarial.png"):
        words = f"run deep_dream {TINY} {read} --steps 1 --size 8 -o photo.png --overwrite"
        yield Case(f"beside-read/{read}", words, says=("is read by this command",))
    each = f"run gradient {TINY} photos -o maps/"

    def occupied(name: str) -> Callable[[Path], None]:
        def prepare(desk: Path) -> None:
            (desk / "maps").mkdir()
            _foreign(f"maps/{name}")(desk)

        return prepare

    for name in ("1.png", "index.jsonl", "run.json"):
        yield Case(f"folder/{name}", each, occupied(name), says=("maps",))
    yield Case("folder/again-foreign", f"{each} --again", occupied("1.png"), says=("maps/1.png", "--overwrite"))
    yield Case("folder/again-index", f"{each} --again", occupied("index.jsonl"), says=("maps",))
    yield Case("folder/other-picture", each, occupied("notes.png"), 0, changes=("maps/",))
    yield Case("folder/twice", each, code=0, before=(each,), changes=("maps/",))
    yield Case("folder/again", f"{each} --again", code=0, before=(each,), changes=("maps/",))
    yield Case("folder/input", f"run gradient {TINY} photos -o photos/", says=("photos",))
    yield Case("folder/input-dot", f"run gradient {TINY} photos -o ./photos/../photos", says=("photos",))
    yield Case("folder/in-input", f"run gradient {TINY} photos -o photos/out/", code=0, changes=("photos/out/",))
    yield Case("folder/picture-in-input", f"run gradient {TINY} photos -o photos/new.png", says=("photos",))
    yield Case("folder/npz-in-input", f"run gradient {TINY} photos -o photos/new.npz", says=("photos",))
    yield Case("folder/of-one", f"run gradient {TINY} photo.png -o .", says=("photo.png",))
    ours = ("photo.npz", "index.jsonl", "run.json")
    words = f"run gradient {TINY} photo.png --format npz -o ."
    yield Case("folder/of-one-by-name", words, code=0, changes=ours)
    twice = "checkpoints {tiny} {tiny} --data photos --layout pca -o {out}"
    for name in ("checkpoints.png", "result.npz", "checkpoints.gif"):
        words = twice.format(tiny=TINY, out="maps/")
        yield Case(f"folder/checkpoints/{name}", words, occupied(name), says=(name, "--overwrite"), changes=("maps/",))
    yield Case("folder/checkpoints/twice", words, code=0, before=(words,), changes=("maps/",))
    yield Case("folder/checkpoints/input", twice.format(tiny=TINY, out="photos/"), says=("photos",))
    sweep = f"sweep {TINY} photos unit_statistics -o"
    yield Case("sweep/input", f"{sweep} photos", says=("photos",))
    yield Case("sweep/input-again", f"{sweep} photos --again", says=("photos",))
    yield Case("sweep/in-input", f"{sweep} photos/survey", says=("photos",))
    yield Case("sweep/over-input", f"{sweep} .", says=("labels.json",))
    yield Case("sweep/input-link", f"{sweep} link", lambda d: (d / "link").symlink_to("photos"), says=("photos",))
    yield Case("sweep/foreign", f"{sweep} notes", _foreign("notes/README.md"), says=("notes",))
    yield Case("sweep/foreign-again", f"{sweep} notes --again", _foreign("notes/README.md"), says=("notes",))
    yield Case("sweep/file", f"{sweep} photo.png", says=("photo.png",))
    yield Case("sweep/data-file", f"sweep {TINY} data.npz unit_statistics -o data.npz", says=("data.npz",))
    yield Case("sweep/twice", f"{sweep} survey", code=0, before=(f"{sweep} survey",), changes=("survey/",))
    yield Case("sweep/again", f"{sweep} survey --again", code=0, before=(f"{sweep} survey",), changes=("survey/",))
    yield Case("shapes/foreign", "shapes -o notes --count 2", _foreign("notes/labels.csv"), says=("notes",))
    yield Case("shapes/photos", "shapes -o photos --count 2", says=("photos",))


def two_outputs() -> Iterator[Case]:
    """Two options name one file."""
    pairs = {
        "compare": "compare gradient {tiny} {tiny} --images photo.png -o new.json --json {other}",
        "compare-o": "compare gradient {tiny} {tiny} --images photo.png -o new.json -o {other}",
        "history": "run deep_dream {tiny} photo.png --steps 1 --size 8 -o new.png --history {other}",
        "transfer": "transfer {tiny} {tiny} --images photos --attack fgsm -o new.json -o {other}",
        "history-beside": "run deep_dream {tiny} photo.png --steps 1 --size 8 -o new.png --history new-masked.png",
    }
    for label, line in pairs.items():
        suffix = ".png" if "history" in label else ".json"
        for way in ("same", "dot", "absolute", "up", "folder", "capital"):
            if label == "history-beside" and way != "same":
                continue

            def prepare(desk: Path, way: str = way, suffix: str = suffix) -> None:
                name = f"new{suffix}"
                (desk / "OUT").write_text(f"NEW{suffix}" if way == "capital" else WAYS[way](desk, name))

            words = line.format(tiny=TINY, other="{OUT}")
            yield Case(f"two-outputs/{label}/{way}", words, prepare, says=("new",))


# Files that cannot be written ----------------------------------------------------------------------------------------


def not_writable() -> Iterator[Case]:
    """A full disk, a device, a name that is too long, a folder that is none."""
    for label, (line, endings) in WRITING.items():
        for ending in endings:
            words = line.format(tiny=TINY, out=f"mine{ending}")
            name = f"{label}{ending}"
            says = ("cannot write",)
            beside = (f"mine{ending}.npz", "x.npz")
            yield Case(f"full/{name}", words, says=says, largest=40, changes=("none",))
            yield Case(f"full-over-old/{name}", words, says=says, largest=40, before=(words,), changes=beside)
    line, ending = "run gradient {tiny} photo.png -o {out}", ".png"

    def link(to: str) -> Callable[[Path], None]:
        return lambda desk: (desk / "mine.png").symlink_to(to)

    def linked_pipe(desk: Path) -> None:
        os.mkfifo(desk / "pipe.png")
        (desk / "mine.png").symlink_to("pipe.png")

    def pipe(desk: Path) -> None:
        os.mkfifo(desk / "mine.png")

    places: dict[str, tuple[str, Callable[[Path], None]]] = {
        "long": ("x" * 260 + ".png", nothing),
        "long-utf8": ("ü" * 130 + ".png", nothing),
        "nearly-long": ("x" * 250 + ".png", nothing),
        "long-folder": ("y" * 300 + "/a.png", nothing),
        "no-folder": ("nowhere/a.png", nothing),
        "file-as-folder": ("photo.png/a.png", nothing),
        "is-folder": ("mine.png", lambda desk: (desk / "mine.png").mkdir()),
        "fifo": ("mine.png", pipe),
        "loop": ("mine.png", link("mine.png")),
        "broken-folder": ("mine.png", link("nowhere/a.png")),
        "link-to-fifo": ("mine.png", linked_pipe),
        "proc": ("/proc/mine.png", nothing),
        "empty": ("", nothing),
    }
    for label, (out, prepare) in places.items():
        words, ok = line.format(tiny=TINY, out=out or "EMPTY"), label in {"nearly-long", "is-folder"}
        changes = (out, f"{out}/") if ok else ()
        yield Case(f"place/{label}", words, prepare, 0 if ok else 1, changes=changes)
        compared = f"compare gradient {TINY} {TINY} --images photo.png -o {out[:-4] or 'EMPTY'}.html"
        if label in {"long", "long-folder", "file-as-folder", "proc"}:
            yield Case(f"place-report/{label}", compared, prepare)
            yield Case(f"place-sweep/{label}", f"sweep {TINY} photos unit_statistics -o {out[:-4]}/s", prepare)
            yield Case(f"place-folder/{label}", f"run gradient {TINY} photos -o {out[:-4]}/", prepare)
            yield Case(f"place-shapes/{label}", f"shapes --count 2 -o {out[:-4]}/x", prepare)
            yield Case(f"place-demo/{label}", f"demo -o {out[:-4]}/x", prepare)
    yield Case("place/broken-link", line.format(tiny=TINY, out="mine.png"), link("new.png"), 0, changes=("new.png",))


# Names that are not text ---------------------------------------------------------------------------------------------

LATIN = os.fsdecode(b"caf\xe9.png")


def latin_names() -> Iterator[Case]:
    """File names whose bytes are not UTF-8."""

    def prepare(desk: Path) -> None:
        (desk / "latin").mkdir()
        shutil.copy(desk / "photo.png", desk / "latin" / LATIN)
        shutil.copy(desk / "photo.png", desk / "latin" / "plain.png")

    lines = {
        "map": (f"run gradient {TINY} latin/{LATIN} -o new.png", "new.png"),
        "npz": (f"run gradient {TINY} latin/{LATIN} -o new.npz", "new.npz"),
        "json": (f"run gradient {TINY} latin/{LATIN} --json", ""),
        "report": (f"compare gradient {TINY} {TINY} --images latin/{LATIN} -o new.html", "new.html"),
        "report-json": (f"compare gradient {TINY} {TINY} --images latin/{LATIN} -o new.json", "new.json"),
        "report-stdout": (f"compare gradient {TINY} {TINY} --images latin/{LATIN} --json", ""),
        "joined": (f"run gradient {TINY} latin -o new.npz", "new.npz"),
        "folder": (f"run gradient {TINY} latin -o maps/", "maps/"),
        "folder-npz": (f"run gradient {TINY} latin --format npz -o maps/", "maps/"),
        "data": (f"run unit_statistics {TINY} latin -o new.npz", "new.npz"),
        "csv": (f"run nearest_neighbours {TINY} latin -o new.csv", "new.csv"),
        "examples": (f"run top_examples {TINY} latin -o new.npz", "new.npz"),
        "embedding": (f"run embedding {TINY} latin --layout pca -o new.png", "new.png"),
        "sweep": (f"sweep {TINY} latin unit_statistics top_examples -o survey", "survey/"),
        "output": (f"run gradient {TINY} photo.png -o {LATIN}", LATIN),
        "output-npz": (f"run gradient {TINY} photo.png -o {LATIN[:-4]}.npz", f"{LATIN[:-4]}.npz"),
        "output-report": (
            f"compare gradient {TINY} {TINY} --images photo.png -o {LATIN[:-4]}.html",
            f"{LATIN[:-4]}.html",
        ),
        "output-folder": (f"run gradient {TINY} photos -o {LATIN[:-4]}/", f"{LATIN[:-4]}/"),
        "output-json": (f"run gradient {TINY} photo.png -o {LATIN} --json", LATIN),
        "checkpoints": (f"checkpoints {TINY} {TINY} --data latin --layout pca -o new.npz", "new.npz"),
        "transfer": (f"transfer {TINY} {TINY} --images latin --attack fgsm -o new.html", "new.html"),
        "transfer-json": (f"transfer {TINY} {TINY} --images latin --attack fgsm -o new.json --json", "new.json"),
        "search": (f"search deep_dream {TINY} latin/{LATIN} --steps 1 --size 8 --trials 1 -o new.npz", "new.npz"),
    }
    for label, (words, out) in lines.items():
        yield Case(f"latin/{label}", words, prepare, 0, changes=(out,) if out else ())
    lost = f"run gradient {TINY} {os.fsdecode(b'n' + bytes([0xE9]))}.png -o new.png"
    yield Case("latin/missing", lost, prepare)


# States that cannot be gone on from ----------------------------------------------------------------------------------

CLIMB = f"run activation_maximisation {TINY} --target 1 --steps"
SEARCH = f"search activation_maximisation {TINY} --target 1 --steps 1 --trials"


def _saved(words: str) -> Callable[[Path], None]:
    def prepare(desk: Path) -> None:
        done = CliRunner().invoke(cli, words.split(), prog_name="crosslens")
        assert done.exit_code == 0, done.output

    return prepare


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=True) as stored:
        return {name: stored[name] for name in stored.files}


def _replaced(change: Callable[[dict[str, np.ndarray]], None]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        arrays = _arrays(path)
        change(arrays)
        np.savez(path.with_suffix(".tmp.npz"), **arrays)
        path.with_suffix(".tmp.npz").replace(path)

    return damage


def _without(path: Path) -> None:
    path.unlink()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _pickled(path: Path) -> None:
    _replaced(lambda arrays: arrays.update({next(n for n in arrays if n != "record"): np.array([object()])}))(path)


def _each(kind: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[dict[str, np.ndarray]], None]:
    def apply(arrays: dict[str, np.ndarray]) -> None:
        for name, value in list(arrays.items()):
            if name.endswith(kind):
                arrays[name] = change(value)

    return apply


def _drop(kind: str) -> Callable[[dict[str, np.ndarray]], None]:
    def apply(arrays: dict[str, np.ndarray]) -> None:
        for name in [each for each in arrays if each.endswith(kind)]:
            del arrays[name]

    return apply


def _record(text: str) -> Callable[[dict[str, np.ndarray]], None]:
    return lambda arrays: arrays.update(record=np.asarray(text))


WHOLE_FILE: dict[str, Callable[[Path], None]] = {
    "missing": _without,
    "empty": lambda path: path.write_bytes(b""),
    "folder": _folder,
    "fifo": _fifo,
    "text": lambda path: path.write_text("hello"),
    "zip-of-nothing": lambda path: path.write_bytes(b"PK\5\6" + bytes(18)),
    "npy": lambda path: np.save(path.open("wb"), np.ones(3)),
    "png": lambda path: path.write_bytes((path.parent / "photo.png").read_bytes()),
    "foreign-npz": lambda path: path.write_bytes((path.parent / "data.npz").read_bytes()),
    "pickled": _pickled,
    "head": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "no-end": lambda path: path.write_bytes(path.read_bytes()[:-10]),
    "no-start": lambda path: path.write_bytes(path.read_bytes()[40:]),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "zeros-inside": lambda path: path.write_bytes(path.read_bytes()[:300] + bytes(300) + path.read_bytes()[600:]),
    "no-record": _replaced(_drop("record")),
    "record-text": _replaced(_record("hello")),
    "record-empty": _replaced(_record("{}")),
    "record-list": _replaced(_record("[]")),
    "record-number": _replaced(lambda arrays: arrays.update(record=np.ones(3))),
    "record-null": _replaced(_record('{"method": null, "parameters": null, "provenance": null, "kind": null}')),
    "record-bytes": _replaced(lambda arrays: arrays.update(record=np.asarray(b"\xff\xfe"))),
    "record-deep": _replaced(_record("[" * 100_000)),
    "record-nan": _replaced(_record('{"format": NaN, "method": "x"}')),
}
"""Damage to any state."""

STATE = {
    name: _replaced(change)
    for name, change in {
        "parameters-shape": _each("0_parameters", lambda a: a[..., :2]),
        "parameters-flat": _each("0_parameters", np.ravel),
        "parameters-scalar": _each("0_parameters", lambda a: np.float32(1)),
        "parameters-nan": _each("0_parameters", lambda a: np.full_like(a, np.nan)),
        "parameters-inf": _each("0_parameters", lambda a: np.full_like(a, np.inf)),
        "parameters-text": _each("0_parameters", lambda a: np.asarray(["a", "b"])),
        "parameters-int": _each("0_parameters", lambda a: np.zeros(a.shape, np.int8)),
        "parameters-complex": _each("0_parameters", lambda a: a.astype(np.complex64)),
        "parameters-empty": _each("0_parameters", lambda a: np.zeros((0,), np.float32)),
        "parameters-missing": _drop("0_parameters"),
        "moment-shape": _each("moment0", lambda a: a[..., :1]),
        "moment-nan": _each("moment1", lambda a: np.full_like(a, np.nan)),
        "moment-missing": _drop("moment1"),
        "moment-first-missing": _drop("moment0"),
        "moment-text": _each("moment0", lambda a: np.asarray("x")),
        "step-missing": _drop("0_step"),
        "step-text": _each("0_step", lambda a: np.asarray("two")),
        "step-negative": _each("0_step", lambda a: np.asarray(-3)),
        "step-fraction": _each("0_step", lambda a: np.asarray(1.5)),
        "step-huge": _each("0_step", lambda a: np.asarray(10**12)),
        "step-array": _each("0_step", lambda a: np.asarray([1, 2])),
        "step-nan": _each("0_step", lambda a: np.asarray(np.nan)),
        "losses-missing": _drop("0_losses"),
        "losses-shape": _each("0_losses", lambda a: a[:1]),
        "losses-flat": _each("0_losses", np.ravel),
        "losses-text": _each("0_losses", lambda a: np.asarray(["x"])),
        "losses-nan": _each("0_losses", lambda a: np.full_like(a, np.nan)),
        "snapshot-shape": lambda arrays: arrays.update(snapshot_1=np.zeros((1, 3, 2, 2), np.float32)),
        "snapshot-name": lambda arrays: arrays.update(snapshot_x=np.zeros((1, 3, 8, 8), np.float32)),
        "snapshot-text": lambda arrays: arrays.update(snapshot_1=np.asarray("x")),
        "second-run": lambda arrays: arrays.update(state_1_parameters=np.zeros(3, np.float32)),
    }.items()
}
"""Damage to what an optimiser left."""

TRIALS = {
    name: _replaced(change)
    for name, change in {
        "images-missing": _drop("images_1"),
        "images-shape": _each("images_1", lambda a: a[0, 0]),
        "images-text": _each("images_1", lambda a: np.asarray("x")),
        "images-nan": _each("images_1", lambda a: np.full_like(a, np.nan)),
        "images-empty": _each("images_1", lambda a: a[:0]),
    }.items()
}

OTHERS = {
    "another-target": (f"{CLIMB} 2 -o state.npz", f"{CLIMB.replace('--target 1', '--target 2')} 4"),
    "another-seed": (f"{CLIMB} 2 -o state.npz", f"{CLIMB} 4 --seed 5"),
    "another-method": (f"{CLIMB} 2 -o state.npz", f"{CLIMB.replace('activation_maximisation', 'maco')} 4"),
    "another-picture": (
        f"run deep_dream {TINY} photo.png --steps 2 --octaves 1 --size 8 -o state.npz",
        f"run deep_dream {TINY} style.png --steps 2 --octaves 1 --size 8 --zoom-frames 1",
    ),
    "finished": (f"{CLIMB} 2 -o state.npz", f"{CLIMB} 2"),
    "a-search": (f"{SEARCH} 1 -o state.npz", f"{CLIMB} 4"),
    "a-map": (f"run gradient {TINY} photo.png -o state.npz", f"{CLIMB} 4"),
    "search-of-a-run": (f"{CLIMB} 2 -o state.npz", f"{SEARCH} 2"),
    "search-of-a-map": (f"run gradient {TINY} photo.png -o state.npz", f"{SEARCH} 2"),
    "search-finished": (f"{SEARCH} 1 -o state.npz", f"{SEARCH} 1"),
    "search-another-seed": (f"{SEARCH} 1 -o state.npz", f"{SEARCH} 2 --search-seed 4"),
}


def resumed() -> Iterator[Case]:
    """A state that is damaged, foreign or missing."""
    for label, made, damages in (
        ("run", f"{CLIMB} 2 --every 1 -o state.npz", {**WHOLE_FILE, **STATE}),
        ("search", f"{SEARCH} 1 -o state.npz", {**WHOLE_FILE, **TRIALS}),
        ("fooling", f"run fooling_image {TINY} --steps 2 -o state.npz", {**WHOLE_FILE, **STATE}),
    ):
        goes_on = {
            "run": f"{CLIMB} 4 --every 1",
            "search": f"{SEARCH} 2",
            "fooling": f"run fooling_image {TINY} --steps 3",
        }
        for name, damage in damages.items():

            def prepare(desk: Path, made: str = made, damage: Callable[[Path], None] = damage) -> None:
                _saved(made)(desk)
                damage(desk / "state.npz")

            if label == "fooling" and name.startswith("snapshot"):
                continue
            words = f"{goes_on[label]} --resume state.npz -o new.npz"
            yield Case(f"resume/{label}/{name}", words, prepare, says=("cannot go on from 'state.npz'",))
    for name, (made, words) in OTHERS.items():
        line = f"{words} --resume state.npz -o new.npz"
        says = ("state.npz",) if "finished" not in name else ("ask for more",)
        yield Case(f"resume/{name}", line, _saved(made), says=says)
    whole = f"{CLIMB} 4 --every 2 -o new.npz --resume state.npz"
    yield Case("resume/goes-on", whole, _saved(f"{CLIMB} 2 --every 2 -o state.npz"), 0, changes=("new.npz",))
    same = f"{CLIMB} 4 -o state.npz --resume state.npz"
    yield Case("resume/into-itself", same, _saved(f"{CLIMB} 2 -o state.npz"), 0, changes=("state.npz",))


def cases() -> Iterator[Case]:
    """All of them."""
    for family in (over_inputs, over_foreign_files, over_files_beside, two_outputs, not_writable, latin_names, resumed):
        yield from family()


# Running one ---------------------------------------------------------------------------------------------------------


@contextmanager
def _within(desk: Path, largest: int | None) -> Iterator[None]:
    """In this folder, on a disk that takes files of so many bytes."""
    before, limits = Path.cwd(), resource.getrlimit(resource.RLIMIT_FSIZE)
    os.chdir(desk)
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        os.chdir(before)


def _contents(desk: Path) -> dict[str, bytes | str]:
    """Every file's bytes, by its path; of what is no file, what it is."""
    found: dict[str, bytes | str] = {}
    for path in sorted(desk.rglob("*")):
        name = str(path.relative_to(desk))
        found[name] = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else "no file"
    return found


def failure(case: Case, desk: Path) -> str:
    """Run a case in a folder that `make_desk` filled; what is wrong, nothing where all holds."""
    runner = CliRunner()
    with _within(desk, None):
        for words in case.before:
            done = runner.invoke(cli, words.split(" "), prog_name="crosslens")
            if done.exit_code:
                return f"what runs before it ends with {done.exit_code}: {done.output[-300:]}"
        case.prepare(desk)
        out = (desk / "OUT").read_text() if (desk / "OUT").exists() else ""
        before = _contents(desk)
    words = [{"{OUT}": out, "EMPTY": ""}.get(word, word) for word in case.words.split(" ")]
    with _within(desk, case.largest):
        done = runner.invoke(cli, words, prog_name="crosslens")
    return _judged(case, done, before, _contents(desk))


def _judged(case: Case, done: object, before: dict[str, bytes | str], after: dict[str, bytes | str]) -> str:
    raised, said = done.exception, done.stderr
    if raised is not None and not isinstance(raised, SystemExit):
        return f"traceback: {type(raised).__name__}: {str(raised)[:300]}"
    wrong = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    may = [
        name
        for name in wrong
        if not any(name == c or (c.endswith("/") and f"{name}/".startswith(c)) for c in case.changes)
    ]
    if any(LEFT_OVER.fullmatch(name) for name in after):
        return "a temporary file is left"
    if lost := [name for name in may if name in before]:
        return f"changed or lost: {', '.join(lost)} (exit {done.exit_code}) {said[-200:]}"
    if may:
        return f"written: {', '.join(map(repr, may))} (exit {done.exit_code}) {said[-200:]}"
    if done.exit_code != case.code:
        return f"exit code {done.exit_code}, not {case.code}: {said[-300:]}"
    if case.code == 1:
        last = said.splitlines()[-1:] or [""]
        if not last[0].startswith("Error: ") or sum(line.startswith("Error: ") for line in said.splitlines()) != 1:
            return f"no line that says what is wrong: {said[-300:]!r}"
        if "Aborted!" in said:
            return "it says Aborted!"
    if missing := [text for text in case.says if text not in said]:
        return f"it does not say {missing}: {said[-300:]}"
    return ""


def _hangs(*_: object) -> None:
    raise RuntimeError(f"it hangs: {LONGEST} s")


def main(words: list[str]) -> None:
    """Run those whose names hold one of the words; one that takes a minute counts as one that hangs."""
    signal.signal(signal.SIGALRM, _hangs)
    chosen = [case for case in cases() if not words or any(word in case.name for word in words)]
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for n, case in enumerate(chosen):
            desk = Path(scratch, f"{n}")
            desk.mkdir()
            make_desk(desk)
            signal.alarm(LONGEST)
            if wrong := failure(case, desk):
                failed += 1
                sys.stdout.buffer.write(f"{case.name}: {wrong}\n".encode("utf-8", "backslashreplace"))
                sys.stdout.buffer.flush()
            shutil.rmtree(desk)
    sys.stdout.write(f"{len(chosen)} cases, {failed} failed\n")


if __name__ == "__main__":
    main(sys.argv[1:])
