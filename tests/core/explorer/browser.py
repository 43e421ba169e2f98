"""`Browser`: Chromium as the tests of pages use it, with what it complained of."""

import json
import time

WAIT = 10.0
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions", "--disable-sync"),
    *(
        "--disable-background-networking",
        "--disable-component-update",
        "--hide-scrollbars",
        "--force-color-profile=srgb",
    ),
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


class Browser:
    """One window; `open` a page of a site, `find` and `press`, then ask for `errors`."""

    def __init__(self, chromium, driver):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))
        self.size(1280, 900)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()

    def size(self, width, height):
        """Of the page itself, in CSS pixels; phones are narrower than a window may be."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def dark(self, on):
        feature = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def open(self, folder, address="#/", until="main > *"):
        """Goes to a page of a site from disk, anew, and waits until an element is there."""
        self.driver.get("about:blank")
        self.driver.get(f"{(folder / 'index.html').as_uri()}{address}")
        self.wait(until)

    def go(self, address, until="main > *"):
        """Follows an address as a link does, without loading the site again."""
        self.run("location.hash = arguments[0]", address)
        self.wait(until)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, css):
        self.until("return document.querySelector(arguments[0]) !== null", css)

    def until(self, script, *arguments):
        """Waits until a script returns what is true, and gives it back."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            value = self.run(script, *arguments)
            if value:
                return value
            time.sleep(0.02)
        raise AssertionError(f"still not so after {WAIT} s: {script} {json.dumps(arguments)}")

    def texts(self, css):
        return self.run("return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText.trim())", css)

    def count(self, css):
        return self.run("return document.querySelectorAll(arguments[0]).length", css)

    def click(self, css):
        self.wait(css)
        self.driver.find_element("css selector", css).click()

    def press(self, *keys):
        """On the element that has the focus."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    @property
    def address(self):
        return self.run("return location.hash")

    def errors(self):
        """What the console was told since the last call, an alert or a blocked request among it."""
        return [line["message"] for line in self.driver.get_log("browser") if line["level"] in {"SEVERE", "WARNING"}]

    def requests(self):
        """Addresses of all that the page loaded."""
        return self.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
