"""Style networks of every kind, trained by `crosslens train-style` on photographs that packages ship.

`python -m benchmarks.style_networks FOLDER [NAME ...]` trains those that FOLDER does not hold yet, each in some minutes
on two cores, and writes each as .onnx, .pt2 and .keras with the state of its training (.npz), and `times.json`. What is
learned stays there; the styles are a picture of tissue (scikit-image's, without known restrictions) and stained glass
drawn here. `--steps 100` for a trial.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter

from .gallery.folders import FOLDERS
from .vgg_trunk import write

__all__ = ["NETWORKS", "command"]

SIZE, STRENGTH = 160, 0.003
STEPS = 1000
STYLES = "{styles}"
TISSUE, GLASS = f"--style {STYLES}/tissue.png", f"--style {STYLES}/glass.png"
NETWORKS: Mapping[str, str] = {
    "glass": GLASS,
    "both": f"--norm conditional {TISSUE} {GLASS}",
    "any": f"--adain {TISSUE} {GLASS}",
    "batch": f"--norm batch --batch 4 --size 96 {GLASS}",
    "instance": f"--norm instance --batch 4 --size 96 {GLASS}",
}
"""By name, what `crosslens train-style` is given. The last two differ in their normalisation alone."""
LEFT_OUT = {"chelsea.png", "page.png", "text.png", "horse.png"}
"""The picture that is shown, so that no network has learned it, and what is no photograph."""
SHORTER = {"glass": 0.6, "both": 0.5, "any": 0.35, "batch": 0.3, "instance": 0.3}
"""Part of the steps where steps are dearer."""


def command(name: str, folder: Path, steps: int = STEPS) -> list[str]:
    """The words that train a network and write its files into a folder."""
    places = {"styles": str(FOLDERS["styles"].path)}
    given = [word.format(**places) for word in NETWORKS[name].split()]
    outs = [word for ending in ("onnx", "pt2", "keras") for word in ("-o", str(folder / f"{name}.{ending}"))]
    state = ["--state", str(folder / f"{name}.npz"), "--steps", str(round(steps * SHORTER.get(name, 1)))]
    photographs = [str(each) for each in sorted(FOLDERS["photographs"].path.iterdir()) if each.name not in LEFT_OUT]
    given += [word for each in photographs if "--adain" in given for word in ("--style", each)]
    how = ["--size", str(SIZE), *([] if "--adain" in given else ["--strength", str(STRENGTH)])]
    loss = str(write(folder / "vgg16.onnx"))
    return ["crosslens", "train-style", loss, *photographs, *how, *given, *state, *outs]


def train(names: Sequence[str], folder: Path, steps: int) -> None:
    """Train those that are missing, and note the seconds."""
    for needed in ("styles", "photographs"):
        FOLDERS[needed].make()
    folder.mkdir(parents=True, exist_ok=True)
    times = folder / "times.json"
    seconds = json.loads(times.read_text()) if times.exists() else {}
    for name in names:
        if (folder / f"{name}.keras").exists():
            continue
        words, start = command(name, folder, steps), perf_counter()
        subprocess.run([Path(sys.executable).with_name(words[0]), *words[1:]], check=True)
        seconds[name] = round(perf_counter() - start, 1)
        times.write_text(json.dumps(seconds))
        print(f"{name}: {seconds[name]} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.style_networks", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NETWORKS)}; all if none")
    parser.add_argument("--steps", type=int, default=STEPS)
    given = parser.parse_args()
    if unknown := set(given.names) - set(NETWORKS):
        parser.error(f"no network {', '.join(sorted(unknown))}; there are {', '.join(NETWORKS)}")
    train(given.names or list(NETWORKS), given.folder, given.steps)


if __name__ == "__main__":
    main()
