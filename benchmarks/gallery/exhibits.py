"""What hangs in the synthesis gallery: command lines of `crosslens run`, the same on every backend."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .photographs import photograph

CAT = photograph()
GRAVEL = photograph("gravel.png")
TISSUE = photograph("ihc.png")
PATTERNS = "coil | maze | pool table | stethoscope | nematode | screw | analog clock | knot | ping-pong ball"
OBJECTS = "king penguin | starfish | baseball | electric guitar | freight car | remote control"
SHORT = ("--population", "100", "--steps", "40")


@dataclass(frozen=True)
class Exhibit:
    """One method at work on one network; `given` are the pictures shown at the left, the first the command's own."""

    name: str
    method: str
    network: str = "lite0"
    given: tuple[Path, ...] = ()
    options: tuple[str, ...] = ()
    wide: bool = False
    """Whether it makes a sheet or a strip, to be shown larger."""
    shown: str = ""
    """Which of the pictures that the command writes: "-masked" for NAME-masked.png."""

    def command(self, backend: str, out: Path) -> list[str]:
        """Arguments of `crosslens`."""
        picture = [str(self.given[0])] if self.given else []
        return ["run", self.method, f"demo:{self.network}_{backend}", *picture, *self.options, "-o", str(out)]

    def typed(self, backend: str) -> str:
        """The command as a reader would type it."""
        words = self.command(backend, Path(f"{self.name}.png"))
        shown = [Path(word).name if word.startswith("/") else word for word in words]
        return "crosslens " + " ".join(f'"{word}"' if " " in word or "|" in word else word for word in shown)


EXHIBITS: Mapping[str, Exhibit] = {
    exhibit.name: exhibit
    for exhibit in (
        Exhibit("deep_dream", "deep_dream", given=(CAT,)),
        Exhibit(
            "activation_maximisation",
            "activation_maximisation",
            options=("--target", "channel:blocks.11.bn0:168", "--steps", "96"),
        ),
        Exhibit("class_maximisation", "class_maximisation", options=("--target", "volcano")),
        Exhibit("feature_inversion", "feature_inversion", "vgg16", (CAT,), ("--steps", "40")),
        Exhibit("texture_synthesis", "texture_synthesis", given=(GRAVEL,)),
        Exhibit(
            "style_transfer",
            "style_transfer",
            given=(CAT, TISSUE),
            options=("--style", str(TISSUE), "--strength", "0.2"),
        ),
        Exhibit("caricature", "caricature", given=(CAT,)),
        Exhibit("maco", "maco", options=("--target", "flamingo", "--steps", "64"), shown="-masked"),
        Exhibit("accentuation", "accentuation", given=(CAT,), options=("--target", "tiger cat")),
        Exhibit("channel_grid", "channel_grid", options=("--count", "9"), wide=True),
        Exhibit(
            "interpolation",
            "interpolation",
            options=("--first", "168", "--second", "671", "--count", "4", "--steps", "96"),
            wide=True,
        ),
        Exhibit("diversity", "diversity", options=("--target", "volcano", "--steps", "96"), wide=True),
        Exhibit("fooling_image", "fooling_image", options=("--target", PATTERNS, *SHORT), wide=True),
        Exhibit(
            "fooling_gradient", "fooling_image", options=("--encoding", "gradient", "--target", OBJECTS), wide=True
        ),
        Exhibit("inversion_sheet", "feature_inversion", given=(CAT,), options=("--sheet", "--steps", "60"), wide=True),
        Exhibit("texture_sheet", "texture_synthesis", given=(GRAVEL,), options=("--sheet", "--steps", "60"), wide=True),
    )
}
