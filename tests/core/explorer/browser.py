"""A page of a site in headless Chromium, from disk and with no network: what a reader sees and does."""

import shutil
import time

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-component-update"),
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
PATIENCE = 20
"""Seconds for a page on a busy machine."""


class Browser:
    """One tab."""

    def __init__(self):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
        self.folder = None
        self.size(1280, 900)

    def size(self, width, height):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def open(self, address="#/", ready="main h1"):
        """The page of an address of the site in `folder`; `ready` is a selector of something that shows it is drawn."""
        self.driver.get("about:blank")
        self.driver.get(f"{(self.folder / 'index.html').as_uri()}{address}")
        self.until(lambda: self.all(ready))
        return self

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def wait(self, selector):
        """Until there is such an element."""
        self.until(lambda: self.all(selector))

    def count(self, selector):
        return len(self.all(selector))

    def one(self, selector):
        (found,) = self.until(lambda: self.all(selector))
        return found

    def texts(self, selector):
        """Of each element, as a reader sees them, in one line."""
        return [" ".join(text.split()) for text in self._of_each(selector, "innerText")]

    def links(self, selector):
        """Where each leads: what follows "#"."""
        return [link.partition("#")[2] for link in self._of_each(selector, "href")]

    def _of_each(self, selector, name):
        found = "return [...document.querySelectorAll(arguments[0])].map((each) => each[arguments[1]])"
        return self.run(found, selector, name)

    @property
    def address(self):
        return self.driver.current_url.partition("#")[2]

    def until(self, seen, *arguments):
        """What `seen` gives once it is true: a function, or a script with its arguments."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if found := self.run(seen, *arguments) if isinstance(seen, str) else seen():
                    return found
            except StaleElementReferenceException:
                pass
            assert time.monotonic() < end, "the page did not become as expected"
            time.sleep(0.02)

    def shows(self, selector, texts):
        """Wait until the elements have these texts."""
        try:
            self.until(lambda: self.texts(selector) == texts)
        except AssertionError:
            assert self.texts(selector) == texts

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def point(self, element, x=0.5, y=0.5):
        """Move the pointer to a place within an element, in shares of its sides."""
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        size = element.size
        right, down = int(size["width"] * (x - 0.5)), int(size["height"] * (y - 0.5))
        ActionChains(self.driver, duration=0).move_to_element_with_offset(element, right, down).perform()

    def press(self, *keys):
        for key in keys:
            ActionChains(self.driver, duration=0).send_keys(key).perform()

    def click(self, selector=None):
        """The first such element, or where the pointer is."""
        if selector is None:
            ActionChains(self.driver, duration=0).click().perform()
        else:
            self.wait(selector)
            self.all(selector)[0].click()

    def errors(self):
        """What the console said since it was last asked."""
        return [line["message"] for line in self.driver.get_log("browser")]
