"""What hangs in the synthesis gallery: command lines of `crosslens run`, on each backend the same but for layers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .photographs import photograph

CAT = photograph()
GRAVEL = photograph("gravel.png")
GLASS = photograph("imagenet_12_741.jpg", "foolbox", "foolbox")
TISSUE = photograph("ihc.png")

PER_BACKEND = "LAYER"
"""Stands for the layer's name in `options`."""


@dataclass(frozen=True)
class Exhibit:
    """One method at work on one network; `given` are the pictures shown at the left, the first the command's own."""

    name: str
    method: str
    network: str = "lite0"
    given: tuple[Path, ...] = ()
    options: tuple[str, ...] = ()
    layer: Mapping[str, str] = field(default_factory=dict)
    wide: bool = False
    """Whether it makes a sheet or a strip, to be shown larger."""

    def command(self, backend: str, out: Path) -> list[str]:
        """Arguments of `crosslens`."""
        options = [option.replace(PER_BACKEND, self.layer.get(backend, PER_BACKEND)) for option in self.options]
        picture = [str(self.given[0])] if self.given else []
        return ["run", self.method, f"demo:{self.network}_{backend}", *picture, *options, "-o", str(out)]

    def typed(self, backend: str) -> str:
        """The command as a reader would type it."""
        words = self.command(backend, Path(f"{self.name}.png"))
        shown = [Path(word).name if word.startswith("/") else word for word in words]
        return "crosslens " + " ".join(f'"{word}"' if " " in word or "|" in word else word for word in shown)


EXHIBITS: Mapping[str, Exhibit] = {
    exhibit.name: exhibit
    for exhibit in (
        Exhibit("deep_dream", "deep_dream", given=(CAT,)),
        Exhibit("activation_maximisation", "activation_maximisation", options=("--target", "volcano")),
        Exhibit("class_maximisation", "class_maximisation", options=("--target", "flamingo")),
        Exhibit("feature_inversion", "feature_inversion", "vgg16", (CAT,)),
        Exhibit("inversion_sheet", "feature_inversion", given=(CAT,), options=("--sheet",), wide=True),
        Exhibit("texture_synthesis", "texture_synthesis", "vgg16", (GRAVEL,)),
        Exhibit("style_transfer", "style_transfer", "vgg16", (CAT, GLASS), ("--style", str(GLASS))),
        Exhibit("caricature", "caricature", given=(CAT,)),
        Exhibit("channel_grid", "channel_grid", wide=True),
        Exhibit("diversity", "diversity", options=("--target", "volcano"), wide=True),
        Exhibit("interpolation", "interpolation", wide=True),
    )
}
