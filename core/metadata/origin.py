"""`Origin`: where the options that a model was wrapped with come from."""

from dataclasses import dataclass

from .metadata import Metadata

__all__ = ["Origin"]


@dataclass(frozen=True)
class Origin:
    """Where a model's preprocessing comes from, and what its file says."""

    preprocess: str = "given"
    """"given" by the user, from the "file", of the "demo" network, or the "default", which nobody asked for: that of
    networks that give pictures is "picture"."""
    carried: Metadata | None = None
    """What the file carries."""
    overridden: tuple[str, ...] = ()
    """The options of `crosslens.wrap` that the user gave otherwise than the file says."""

    @property
    def in_words(self) -> str:
        """Where the preprocessing comes from, for a table: "from 'net.onnx'"."""
        file = self.carried.where if self.carried else "the file"
        said = f"; {file} says otherwise" if "preprocess" in self.overridden else ""
        words = {"given": f"given{said}", "file": f"from {file}", "demo": "the demo network's own"}
        words["picture"] = "the default where the output is a picture: none was given, and the model carries none"
        return words.get(self.preprocess, "the default: none was given, and the model carries none")

    @property
    def contradiction(self) -> str:
        """A sentence on what was given otherwise than the file says; "" if nothing was."""
        if not self.overridden or self.carried is None:
            return ""
        return f"{', '.join(self.overridden)}: as given, although {self.carried.where} says otherwise"
