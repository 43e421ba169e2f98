"""The command line: one module per subcommand, listed by its file name and imported only when it is used.

A module here without a leading underscore is a subcommand: it holds a `command` and imports nothing heavy at its top.
"""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from traceback import extract_tb
from typing import Any

import click

from ..errors import CrosslensError
from ..execution.interrupt import Interrupted, stop_on_signals
from ..execution.notices import silence
from ..limits.memory_watch import MemoryWatch, memory_watch
from ._options.memory import offer_memory_limit
from ._options.repeats import refuse_repeats
from ._text.echo import echo, printable_errors
from ._text.spelling import remember_command, replace_keywords
from ._text.streams import drop_unwritten, escape_what_is_no_text, open_closed_streams, tell_disk_errors

__all__ = ["cli", "main"]

HELP_OPTIONS = ["-h", "--help"]
TRACEBACK = "CROSSLENS_TRACEBACK"
"""The environment variable that shows where an error was raised that crosslens does not foresee."""


class Commands(click.Group):
    """The subcommands of this package. Errors that crosslens foresees become one line and exit code 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = (module.name for module in iter_modules(__path__) if not module.name.startswith("_"))
        return sorted(name.replace("_", "-") for name in names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f".{_module(cmd_name)}", __name__).command
        command.context_settings.setdefault("help_option_names", HELP_OPTIONS)  # click keeps those of the first call
        remember_command(ctx, command)
        offer_memory_limit(command)
        refuse_repeats(command)
        return command

    def main(self, *args: Any, **options: Any) -> Any:
        escape_what_is_no_text()
        with tell_disk_errors():
            return super().main(*args, **options)

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        with printable_errors():
            return super().make_context(*args, **options)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands and what each does, by the first lines of their files: help imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _first_line(name)) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        with printable_errors():
            return self._invoke(ctx)

    def _invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand.

        Raises:
            ClickException: an error that crosslens foresees.
        """
        watch = MemoryWatch()
        try:
            with stop_on_signals(end_imports=True) as received, silence(), memory_watch() as watch:
                result = _interruptible(super().invoke, ctx, received)
        except CrosslensError as error:
            raise click.ClickException(replace_keywords(str(error), ctx)) from error
        except MemoryError as error:
            raise click.ClickException(_out_of_memory(error)) from error
        except OSError as error:
            if error.filename is None or isinstance(error, BrokenPipeError):
                raise
            raise click.ClickException(f"'{error.filename}' cannot be used: {error.strerror or error}") from error
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if os.environ.get(TRACEBACK):
                raise
            raise click.ClickException(_unforeseen(error)) from error
        except KeyboardInterrupt as error:
            _refuse_exceeded(watch, received)
            echo("Interrupted", err=True)
            ctx.exit(error.exit_code if isinstance(error, Interrupted) else 130)
        _refuse_exceeded(watch, received)
        if received:
            ctx.exit(received[0].exit_code)
        return result


def _unforeseen(error: Exception) -> str:
    """The line of an error that crosslens does not foresee, which is a fault."""
    place = extract_tb(error.__traceback__)[-1]
    said = " ".join(str(error).split())[:300]
    where = f"line {place.lineno} of {Path(place.filename).name}"
    return (
        f"a fault of crosslens, or of a plugin: {type(error).__name__}{': ' * bool(said)}{said} ({where}). Please "
        f"report it with what {TRACEBACK}=1 shows before the same command"
    )


def _refuse_exceeded(watch: MemoryWatch, received: list[Interrupted]) -> None:
    """Tell that the work was stopped for its memory, not by a signal from outside; what it could save is saved."""
    if watch.exceeded is not None:
        received.clear()
        raise click.ClickException(watch.exceeded)


def _out_of_memory(error: MemoryError) -> str:
    said = " ".join(str(error).split())
    return (
        f"memory ran out{': ' * bool(said)}{said}. Use smaller or fewer pictures, a smaller --batch-size, or a machine "
        "with more memory"
    )


def _module(command: str) -> str:
    """The module of a command: train_style of train-style."""
    return command.replace("-", "_")


def _first_line(name: str) -> str:
    """What a command does, as the first line of its file says it."""
    with (Path(__file__).parent / f"{_module(name)}.py").open(encoding="utf-8") as file:
        text = file.readline().strip().strip('"').partition(": ")[2]
    return text[:1].upper() + text[1:]


def _interruptible(work: Callable[[click.Context], Any], ctx: click.Context, received: list[Interrupted]) -> Any:
    """What the work gives; any error after a signal is the signal's.

    A library that is being imported, or that calls back into Python, makes an error of its own of an interrupt.

    Raises:
        Interrupted: a signal was received.
    """
    try:
        return work(ctx)
    except Exception as error:
        if received:
            raise received[0] from error
        raise


@click.command(cls=Commands, context_settings={"help_option_names": HELP_OPTIONS})
@click.version_option(package_name="crosslens", message="crosslens %(version)s")
def cli() -> None:
    """See inside vision networks: PyTorch, TensorFlow/Keras and ONNX, with one engine.

    A MODEL is a file (.pt2, .keras, .h5, .onnx), a SavedModel folder, package.module:factory, or demo:NAME.
    """


def main(name: str = "crosslens") -> None:
    """The entry point of the `crosslens` command; `name` is what the user typed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    open_closed_streams()
    with stop_on_signals(end_imports=True) as received:
        try:
            cli(prog_name=name)
        except (SystemExit, KeyboardInterrupt):  # click makes exit code 1 of an interrupt before the command begins
            if received:
                sys.exit(received[0].exit_code)
            raise
        finally:
            drop_unwritten()
