"""`crosslens explore`: make a site of pages on a network, its units and pictures."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ..data import data as source_of
from ..errors import ParameterError
from ..execution.progress import Progress
from ..execution.workers import Workers
from ..explorer.book import ALL, Shown
from ..explorer.explore import explore, is_store
from ..explorer.site import Site
from ..explorer.site_folder import check_folder
from ..model.base import Model
from ..result.display import counted
from ..store.manifest import read_manifest
from ..survey.given import open_model_again
from ..survey.loading import load
from ..survey.survey import open_survey
from ._options.executors import WORKER_OPTIONS
from ._options.models import MODEL_OPTIONS, open_model, quiet, wrap_options
from ._options.pictures import FITTING
from ._options.writing import FolderPath, WritingCommand
from ._text.echo import echo
from ._text.progress import bar
from ._text.tables import JSON, echo_json

__all__ = ["command"]

_WORDS = "crosslens: the words of an exploration's command"
SHOWN = ("units", "pictures", "size", "steps", "maps")
EXAMPLES = """\b
Examples:
  crosslens explore net.onnx photos/ -o site/
  crosslens explore survey/ -o site/ --units all
  crosslens explore old.onnx photos/ --beside new.pt2 -o site/

Open site/index.html in a browser: no network and no server is needed. What was stopped goes on when the same command
is called again; what is there is kept, so that more units or pictures are added."""


class _Explore(WritingCommand):
    """A command that remembers how it was called: the pages say what to type for what they lack."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_WORDS] = ["crosslens", "explore", *(word for word in args if word != "--again")]
        return super().parse_args(ctx, args)


class _Count(click.ParamType):  # type: ignore[type-arg]
    """A number, or "all"."""

    name = "N|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if value == ALL or isinstance(value, int):
            return str(value) if value == ALL else int(value)
        if not str(value).isdecimal() or len(str(value)) > 9:
            self.fail(f"{value!r} is neither a whole number, at least 0, nor 'all'", param, ctx)
        return int(value)


def _explore(*, what: str, data: str | None, out: Path, as_json: bool, **options: Any) -> None:
    given = {name: options[name] for name in SHOWN if options[name] is not None}
    Shown.of(given)  # what is wrong with it, or with the folder, is said before the work
    words = click.get_current_context().meta[_WORDS]
    try:
        with quiet(), bar("files") as progress:
            site = _site(what, data, out, options, given, progress)
            site.typed = words
            if left := site.estimate(out):
                echo(f"visualisations: {left}", err=True)
            index = site.save(out, progress)
    except KeyboardInterrupt:
        echo(f"what was made is kept; to go on: {shlex.join(words)}", err=True)
        raise
    _say(site, index, as_json)


def _site(
    what: str, data: str | None, out: Path, options: Mapping[str, Any], given: Mapping[str, Any], progress: Progress
) -> Site:
    """What the words mean: a survey's folder and its images, or a network and images to make a survey of.

    Args:
        what: the first word.
        data: the second; None for none.
        out: the site's folder, beside which the survey is kept.
        options: of the command.
        given: those that say how much is shown.
        progress: told of the survey that is made.
    """
    source = None if data is None else source_of(data, resize=options["resize"], crop=options["crop"])
    check_folder(out, source)
    more = {"beside": _second(options), "checkpoints": _points(options["checkpoints"]), **given}
    if is_store(what):
        _refuse_for_store(options)
        survey = open_survey(what)
        again = {**wrap_options(options)}
        model = open_model_again(read_manifest(Path(what)) or {}, options["network"], **again)
        return explore(survey, source, model=model, progress=progress, **more)
    if options["network"] is not None:
        raise ParameterError(f"--network is the network of a survey, and '{what}' is no survey's folder")
    model = open_model(what, options)
    layers = tuple(options["layers"].split(",")) if options["layers"] else ()
    store = (options["store"] or _beside(out)) if source is not None else None
    workers = Workers.of(options["workers"], options["threads"] or 1)
    more |= {"again": options["again"], "workers": workers, "progress": progress}
    return explore(model, source, layers=layers, store=store, **more)


def _beside(out: Path) -> Path:
    """The folder of the survey: the site's name with "-survey" behind it; of "." that of the folder itself."""
    whole = out if out.name else out.resolve()
    return whole.with_name(f"{whole.name}-survey")


def _second(options: Mapping[str, Any]) -> Model | None:
    """The model of --beside; with the same preprocessing unless its file carries one."""
    return None if options["beside"] is None else open_model(options["beside"], options)


def _points(path: Path | None) -> Any:
    return None if path is None else load(path)


def _refuse_for_store(options: Mapping[str, Any]) -> None:
    """Options of a survey that is made first.

    Raises:
        UsageError: one is given with a survey.
    """
    for name in ("layers", "store", "workers", "threads", "again"):
        if options[name]:
            raise click.UsageError(
                f"--{name} is for a survey that is made first; this one is made, `crosslens sweep` adds"
            )


def _say(site: Site, index: Path, as_json: bool) -> None:
    files = [path for path in index.parent.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    survey = site.book.survey.folder
    if as_json:
        record = {"model": site.book.name, "layers": list(site.book.layers), "notes": list(site.notes)}
        echo_json({**record, "files": len(files), "bytes": size, "survey": survey and str(survey), "file": str(index)})
        return
    for note in site.notes:
        echo(f"Note: {note}", err=True)
    made = f"{counted(len(site.book.layers), 'layer')}, {counted(len(files), 'file')}, {size / 1e6:.0f} MB"
    echo(f"{site.book.name}: {made}")
    if survey is not None:
        echo(f"survey: {survey}")
    echo(f"written: {index} (open it in a browser; it needs no server and no network)")


_CHECKPOINTS = (
    "Points of several checkpoints instead of the survey's: what `crosslens checkpoints ... -o FILE.npz` wrote."
)
_NETWORK = "The network of a survey, where it lies elsewhere than then: a file, package.module:factory, demo:NAME."
command = _Explore(
    "explore",
    callback=_explore,
    short_help="Make a site of pages on a network, its units and pictures.",
    help="Open a network like a book: a site of static files that opens from disk. STORE is a survey's folder "
    "(`crosslens sweep`), or a network; of a network and DATA a survey is made first, without DATA the site has the "
    "network's map, filters and visualisations. DATA is what `crosslens sweep` takes; a survey knows its own.",
    epilog=EXAMPLES,
    params=[
        click.Argument(["what"], metavar="STORE|MODEL"),
        click.Argument(["data"], required=False),
        click.Option(["-o", "--out"], type=FolderPath(), required=True, metavar="FOLDER", help="Where the site is."),
        click.Option(
            ["--units"],
            type=_Count(),
            help="Units of each layer that get visualisations and attributions; 8 if not given.",
        ),
        click.Option(["--size"], type=int, metavar="N", help="Pixels of a visualisation's side; 112 if not given."),
        click.Option(["--steps"], type=int, metavar="N", help="Steps of a visualisation; 64 if not given."),
        click.Option(["--pictures"], type=_Count(), help="Images that get a page of their own; 48 if not given."),
        click.Option(["--maps"], metavar="METHOD,...", help=f"Maps of a picture; {','.join(Shown.maps)} if not given."),
        click.Option(["--layers"], metavar="NAME,...", help="Layers whose units get pages; 12 at most if not given."),
        click.Option(["--store"], type=FolderPath(), help="Where the survey is kept; FOLDER-survey if not given."),
        click.Option(["--again"], is_flag=True, help="Begin the survey anew: what is in its folder is deleted."),
        click.Option(["--network"], metavar="MODEL", help=_NETWORK),
        click.Option(["--beside"], metavar="MODEL", help="A second network, shown side by side with the first."),
        click.Option(["--checkpoints"], type=click.Path(path_type=Path), metavar="FILE.npz", help=_CHECKPOINTS),
        *WORKER_OPTIONS[:2],
        *FITTING,
        *MODEL_OPTIONS,
        JSON,
    ],
)
