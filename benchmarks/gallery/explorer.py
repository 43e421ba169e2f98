"""Screenshots of a site that `crosslens explore` made: the README's three pictures.

`crosslens explore demo:lite0_onnx benchmarks.seeded_crops:thousand -o out/site --workers 2`, then
`python -m benchmarks.gallery.explorer out/site "#/" "#/unit/61/17" "#/picture/205@0.3,0.2"` writes benchmarks/pictures/
explorer_1.jpg, explorer_2.jpg and explorer_3.jpg, by Debian's chromium and its driver, without a window and without a
network. Behind @ the pointer's place on the picture, in shares of its sides.
"""

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

PICTURES = Path(__file__).parents[1] / "pictures"
WINDOW = (1280, 900)
WIDTH = 900
"""Pixels of a picture in the README."""
STAGE = ".stage img"
"""The picture on its page."""
SETTLED = 2.5
"""Seconds in which a page reads and draws all that is in sight."""


@contextmanager
def browser(window: tuple[int, int] = WINDOW, *, dark: bool = False) -> Iterator[Any]:
    """Chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(flag)
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        metrics = {"width": window[0], "height": window[1], "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        yield driver
    finally:
        driver.quit()


def screenshot(driver: Any, index: Path, address: str, target: Path) -> None:
    """One page of a site as a JPEG."""
    route, _, place = address.partition("@")
    driver.get("about:blank")
    driver.get(f"{index.resolve().as_uri()}{route}")
    time.sleep(SETTLED)
    if place:
        (image,) = driver.find_elements(By.CSS_SELECTOR, STAGE)[:1]
        x, y = (float(part) - 0.5 for part in place.split(","))
        right, down = round(image.size["width"] * x), round(image.size["height"] * y)
        ActionChains(driver).move_to_element_with_offset(image, right, down).perform()
        time.sleep(SETTLED)
    picture = Image.open(BytesIO(driver.get_screenshot_as_png())).convert("RGB")
    if picture.width > WIDTH:
        picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)
    picture.save(target, quality=82)


def main(words: Sequence[str]) -> None:
    """Arguments: the site's folder, and addresses."""
    folder, *addresses = words
    with browser() as driver:
        for number, address in enumerate(addresses, 1):
            screenshot(driver, Path(folder, "index.html"), address, PICTURES / f"explorer_{number}.jpg")


if __name__ == "__main__":
    main(sys.argv[1:])
