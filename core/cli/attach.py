"""`crosslens attach`: write preprocessing, labels and more into a model's file."""

from pathlib import Path
from typing import Any

import click

from ..metadata.metadata import Metadata
from ..model.preprocessing import preprocessing
from ..plugins.attach import attach
from ..plugins.carried import read_metadata
from ._options.models import MODEL_OPTIONS, quiet, wrap_options
from ._text.echo import echo
from ._text.tables import JSON, echo_json

__all__ = ["command"]

_SHOWN_LABELS = 5


def _attach(model: Path, clear: bool, as_json: bool, **options: Any) -> None:
    """Write preprocessing, labels and more into a model's file.

    These are what every command must know of it: preprocessing, labels, range, shape.
    What is given stays with the file, and need not be given again: crosslens attach net.onnx --preprocess
    mean=.485/.456/.406,std=.229/.224/.225 --labels labels.txt. An .onnx file carries it in itself; beside others, or in
    a SavedModel folder, a side file of JSON is written. Without options it shows what the file carries. --output,
    --hold, --trust, --device and --batch-size only serve to open the model, which is tried first; they are not kept.
    """
    given = {name: value for name, value in wrap_options(options).items() if value is not None}
    with quiet():
        written = attach(model, clear=clear, **given) if clear or given.keys() - {"trust"} else None
        metadata = read_metadata(model)
    if as_json:
        echo_json({"carries": metadata.options() if metadata else None, "written": written and str(written)})
        return
    echo(f"{model} carries {_in_words(metadata)}")
    if written:
        echo(f"written: {written}" if written.exists() else f"removed: {written}")


def _in_words(metadata: Metadata | None) -> str:
    """Everything that a file carries, in a line."""
    said = metadata.options() if metadata else {}
    parts = [f"{name} {value}" for name, value in said.items() if name not in {"preprocess", "labels"}]
    if "labels" in said:
        names = [label.partition(",")[0] for label in said["labels"][:_SHOWN_LABELS]]
        shown = ", ".join(names) + ", ..." * (len(said["labels"]) > _SHOWN_LABELS)
        parts.insert(0, f"{len(said['labels'])} labels ({shown})")
    if "preprocess" in said:
        parts.insert(0, f"preprocess {preprocessing(said['preprocess'])}")
    if metadata and metadata.style:
        parts.append(f"style {metadata.style.as_json()}")
    return "; ".join(parts) or "nothing: --preprocess and --labels write something"


command = click.Command(
    "attach",
    callback=_attach,
    params=[
        click.Argument(["model"], type=click.Path(path_type=Path)),
        *MODEL_OPTIONS,
        click.Option(["--clear"], is_flag=True, help="Forget what the file said before; alone it removes it."),
        JSON,
    ],
    help=_attach.__doc__,
)
