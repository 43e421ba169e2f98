"""`crosslens train-style`: train a network that gives any picture a style in one pass."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import click
import numpy as np

from ..errors import CrosslensError
from ..image.io import save_image
from ..style_training.plan import PARTS
from ..style_training.save import check_style_file
from ..style_training.settings import StyleTrainingSettings
from ..style_training.train_style import train_style
from ..style_training.trained_style import SUFFIXES, TrainedStyle
from ._options.files import Writable
from ._options.models import MODEL, MODEL_OPTIONS, open_model, quiet
from ._options.parameters import parameter_options, settings_of
from ._options.writing import WritingCommand
from ._text.echo import echo
from ._text.progress import bar, clock
from ._text.spelling import replace_keywords
from ._text.tables import JSON, echo_json, table

__all__ = ["command"]

SHOWN = 50
"""Steps at the beginning and at the end whose mean losses are shown."""
EXAMPLES = """\b
Examples:
  crosslens train-style demo:vgg16_onnx photos/ --style wave.jpg -o wave.onnx
  crosslens train-style net.pt2 photos/ --style a.jpg --style b.jpg \\
    --norm conditional -o two.onnx -o two.keras
  crosslens train-style demo:vgg16_onnx photos/ --style wave.jpg \\
    -o wave.pt2 --every 100 --state wave.npz --resume

Ctrl-C ends it early, and the network as it is then is written."""


def _train(
    *, model: str, photographs: tuple[str, ...], style: tuple[str, ...], out: tuple[Path, ...], state: Path | None,
    resume: bool, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    settings = settings_of(options)
    samples: list[Path] = []
    with quiet(), bar("steps") as progress:
        for path in out:
            check_style_file(path)
        trained = train_style(
            open_model(model, options), _one_or_all(photographs), _one_or_all(style), state=state, resume=resume,
            watch=_sampler(out[0], samples) if settings["every"] else None, progress=progress, **settings,
        )  # fmt: skip
        failed = _save_all(trained, out)
    files = [*(path for path in out if path not in failed), *samples, *([state] if state else [])]
    _say(trained, files, as_json)
    if failed:
        raise next(iter(failed.values()))
    if trained.diverged:
        raise CrosslensError(trained.notes[-1])


def _save_all(trained: TrainedStyle, out: Sequence[Path]) -> dict[Path, CrosslensError]:
    """Write each file; why some could not be written, so that one does not cost the others."""
    failed: dict[Path, CrosslensError] = {}
    for path in out:
        try:
            trained.save(path)
        except CrosslensError as error:
            failed[path] = error
    return failed


def _one_or_all(given: Sequence[str]) -> Any:
    return given[0] if len(given) == 1 else list(given)


def _sampler(out: Path, samples: list[Path]) -> Callable[[int, Any], None]:
    """Write pictures side by side beside an output, under its name and the step."""

    def watch(step: int, pictures: Any) -> None:
        path = out.with_name(f"{out.stem}-{step:04d}.png")
        save_image(np.concatenate(list(pictures), axis=-1), path)
        samples.append(path)

    return watch


def _say(trained: TrainedStyle, files: Sequence[Path], as_json: bool) -> None:
    """The losses, the time and the files."""
    notes = trained.notes[:-1] if trained.diverged else trained.notes
    for note in notes:
        echo(f"Note: {replace_keywords(note, click.get_current_context())}", err=True)
    if as_json:
        echo_json({**_record(trained), "files": [str(path) for path in files]})
        return
    echo(_losses(trained.losses))
    echo(f"{len(trained.losses)} steps; this run took {clock(trained.seconds)}")
    echo(f"written: {', '.join(map(str, files)) or 'nothing'}")


def _record(trained: TrainedStyle) -> Mapping[str, Any]:
    losses = {name: trained.losses[:, n].tolist() for n, name in enumerate(PARTS)}
    done = {"steps": len(trained.losses), "seconds": trained.seconds, "notes": list(trained.notes)}
    return {"settings": dict(trained.record), **done, "losses": losses}


def _losses(losses: np.ndarray[Any, Any]) -> str:
    """Mean weighted losses of the first and of the last steps."""
    count = min(SHOWN, max(1, len(losses) // 2))
    first, last = losses[:count].mean(axis=0), losses[-count:].mean(axis=0)
    rows = [(name.replace("_", " "), f"{a:.4g}", f"{b:.4g}") for name, a, b in zip(PARTS, first, last, strict=True)]
    of = f"{count} steps" if count > 1 else "step"
    return table(["loss", f"first {of}", f"last {of}"], [*rows, ("all", f"{first.sum():.4g}", f"{last.sum():.4g}")])


command = WritingCommand(
    "train-style",
    callback=_train,
    help="Train a network that gives any picture a style in one pass, as style_transfer does by optimising each.\n\n"
    "MODEL is the network that measures the loss (Johnson et al. 2016): any image network, VGG16 best. PHOTOGRAPHS, "
    "sixteen or more, are a folder or what else `crosslens run` takes as data. What is written is opened without "
    "options, by `crosslens restyle` too.",
    epilog=EXAMPLES,
    params=[
        MODEL,
        click.Argument(["photographs"], nargs=-1, required=True),
        click.Option(
            ["--style"], multiple=True, required=True, metavar="FILE",
            help="Picture whose style to learn; several with --norm conditional; with --adain a folder of them.",
        ),
        click.Option(
            ["-o", "--out"], type=Writable(*SUFFIXES), multiple=True, required=True,
            help="Write the network: .onnx, .pt2 or .keras; can be given several times.",
        ),
        click.Option(["--state"], type=Writable(".npz"), help="Keep the state of the training in this file (.npz)."),
        click.Option(["--resume"], is_flag=True, help="Go on from --state."),
        *parameter_options(cast("Any", StyleTrainingSettings)),
        *MODEL_OPTIONS,
        JSON,
    ],
)  # fmt: skip
