"""`crosslens checkpoints`: follow a data set's points through checkpoints of a network."""

from pathlib import Path
from typing import Any

import click

from ..checkpoints.steady_embedding import steady_embedding
from ..checkpoints.steady_points import SteadyPoints
from ..data import data as source_of
from ..data.features import AUTO, CHOICES
from ..errors import CrosslensError
from ..files.kept_files import check_target
from ._dataset import SOME_FAILED
from ._options.executors import WORKER_OPTIONS, workers_of
from ._options.models import OPTIONS_OF_MODELS, open_models, quiet
from ._options.output import STDOUT, Folder, Output, write_to_stdout
from ._options.pictures import FITTING
from ._options.writing import WritingCommand
from ._text.echo import echo
from ._text.progress import bar
from ._text.tables import JSON, echo_json, table
from .align import distinct_names

__all__ = ["command"]

FILES = ("checkpoints.png", "checkpoints.gif", "points.parquet", "result.npz")
"""What is written into a folder."""


def _checkpoints(
    specs: tuple[str, ...],
    data: str,
    out: Any,
    as_json: bool,
    layer: str | None,
    pooling: str,
    layout: str,
    dimensions: int,
    **options: Any,
) -> None:
    """Follow a data set's points through checkpoints of a network.

    The points of a data set in each checkpoint, in layouts in which those that did not change stay in their places:
    panels side by side, or an animation. Two checkpoints are a network before and after training.

    crosslens checkpoints epoch0.pt2 epoch1.pt2 epoch9.pt2 --data photos/ -o training.gif
    """
    if len(specs) < 2:
        raise click.UsageError(f"following points takes two checkpoints or more; there is {len(specs)}")
    chosen = {name: options.pop(name) for name in ("perplexity", "seed", "pull")}
    if layout == "pca":
        _refuse_for_pca(chosen)
    _check_folder(out, data)
    source = source_of(data, resize=options["resize"], crop=options["crop"])
    given = {name: value for name, value in chosen.items() if value is not None}
    with quiet(), workers_of(options) as workers, bar("images") as progress:
        models = dict(zip(distinct_names(specs), open_models(specs, options), strict=True))
        result = steady_embedding(
            models, source, layer=layer, pooling=pooling, layout=layout, dimensions=dimensions, workers=workers,
            progress=progress, **given,
        )  # fmt: skip
    files = _write(result, out)
    for note in result.notes:
        echo(f"Note: {note}", err=True)
    if as_json:
        record = {"parameters": dict(result.parameters), "provenance": dict(result.provenance)}
        echo_json({"data": data, **record, "figures": result.figures(), "files": [str(path) for path in files]})
    elif out != STDOUT:
        echo(_summary(result))
        echo(f"written: {', '.join(map(str, files))}" if files else f"nothing written: -o, {result._choices}")
    if result.provenance["source"]["failures"]:
        click.get_current_context().exit(SOME_FAILED)


def _refuse_for_pca(chosen: dict[str, Any]) -> None:
    if given := [f"--{name}" for name in ("perplexity", "pull") if chosen[name] is not None]:
        raise click.UsageError(f"{' and '.join(given)}: for --layout tsne only; pca has no such setting")


def _check_folder(out: Any, data: str) -> None:
    """Refuse a folder in which files would be lost, or would be taken for data next time, before the work.

    Raises:
        CrosslensError: with the name of the file, or of the folder.
    """
    if not isinstance(out, Folder):
        return
    if Path(data).is_dir() and out.path.resolve().is_relative_to(Path(data).resolve()):
        raise CrosslensError(f"'{out}' lies in '{data}', whose pictures are read; write into another folder")
    for name in FILES:
        check_target(out.path / name)


def _write(result: SteadyPoints, out: Any) -> list[Path]:
    if out is None:
        return []
    if out == STDOUT:
        write_to_stdout(result, ".npz", None)
        return []
    if not isinstance(out, Folder):
        return [result.save(out)]
    out.path.mkdir(parents=True, exist_ok=True)
    return [*result.save_into(out.path), result.save(out.path / "result.npz")]


def _summary(result: SteadyPoints) -> str:
    """What each layout is worth, and how far points moved."""
    rows = [
        (name, each, *(_figure(known.get(word)) for word in ("trustworthiness", "neighbourhood_hit")))
        for (name, known), each in zip(result.quality.items(), result.provenance["layers"], strict=True)
    ]
    steps = [
        (name, str(known["unchanged"]), *(_figure(known.get(f"{word}_move_{which}")) for word, which in _MOVES))
        for name, known in result._steps().items()
    ]
    moved = ["step", "unchanged", "their moves: median", "largest", "others: median", "largest"]
    quality = table(["checkpoint", "layer", "trustworthiness", "neighbourhood hit"], rows)
    return f"{quality}\n\n{table(moved, steps)}\n(moves are shares of the layout's extent)"


_MOVES = tuple((word, which) for word in ("unchanged", "changed") for which in ("median", "largest"))


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


command = WritingCommand(
    "checkpoints",
    callback=_checkpoints,
    help=_checkpoints.__doc__,
    params=[
        click.Argument(["specs"], metavar="MODEL MODEL...", nargs=-1, required=True),
        click.Option(
            ["--data"], required=True, metavar="DATA", help="What `crosslens run` takes as data: a folder ..."
        ),
        click.Option(["--layer"], help="Whose activations are laid out; the last maps before the output if not given."),
        click.Option(["--pooling"], type=click.Choice(CHOICES), default=AUTO, help="Of the layer's positions."),
        click.Option(["--layout"], type=click.Choice(["tsne", "pca"]), default="tsne", show_default=True),
        click.Option(["--dimensions"], type=click.IntRange(2, 3), default=2, show_default=True, help="2 or 3."),
        click.Option(["--perplexity"], type=float, help="Neighbours that count in t-SNE, about; 30 if not given."),
        click.Option(["--pull"], type=float, help="Force that keeps points in their places; 0.3 if not given."),
        click.Option(["--seed"], type=click.IntRange(0, 2**32 - 1), help="Of what is random; 0 if not given."),
        click.Option(
            ["-o", "--out"],
            type=Output(*SteadyPoints._suffixes),
            help="Panels (.png, .jpg, .webp), an animation (.gif, .mp4), everything (.npz), or FOLDER/ for all.",
        ),
        *FITTING,
        *WORKER_OPTIONS,
        *OPTIONS_OF_MODELS,
        JSON,
    ],
)
