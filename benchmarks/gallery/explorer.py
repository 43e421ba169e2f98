"""Screenshots of a site that `crosslens explore` made: the README's three pictures.

`crosslens explore demo:lite0_onnx benchmarks.seeded_crops:thousand -o out/site --workers 2`, then
`python -m benchmarks.gallery.explorer out/site "#/" "#/unit/61/17" "#/picture/205"` writes benchmarks/pictures/
explorer_1.jpg, explorer_2.jpg and explorer_3.jpg, taken by Debian's chromium without a window and without a network.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

PICTURES = Path(__file__).parents[1] / "pictures"
WINDOW = (1280, 900)
WIDTH = 900
"""Pixels of a picture in the README."""


def screenshot(index: Path, route: str, target: Path, *, window: tuple[int, int] = WINDOW, dark: bool = False) -> None:
    """One page of a site as a JPEG."""
    browser = shutil.which("chromium")
    if browser is None:
        raise SystemExit("screenshots need Debian's chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as place:
        taken = Path(place, "page.png")
        flags = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--window-size={window[0]},{window[1]}", "--virtual-time-budget=8000", f"--screenshot={taken}",
            *(["--blink-settings=preferredColorScheme=0"] if dark else []),
        ]  # fmt: skip
        subprocess.run([browser, *flags, f"{index.resolve().as_uri()}{route}"], check=True, capture_output=True)
        picture = Image.open(taken).convert("RGB")
    if picture.width > WIDTH:
        picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)
    picture.save(target, quality=82)


def main(words: Sequence[str]) -> None:
    """Arguments: the site's folder, and routes."""
    folder, *routes = words
    for number, route in enumerate(routes, 1):
        screenshot(Path(folder, "index.html"), route, PICTURES / f"explorer_{number}.jpg")


if __name__ == "__main__":
    main(sys.argv[1:])
