"""`Reader`: what a person sees, points at and presses on the pages of one site."""

import time

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

PATIENCE = 20
"""Seconds for a page on a busy machine."""


class Reader:
    """Of the site in a folder, in a `Browser`."""

    def __init__(self, browser, folder):
        self.browser, self.folder, self.driver, self.run = browser, folder, browser.driver, browser.run

    def open(self, address, ready="main h1"):
        """The page of an address; `ready` is a selector of something that shows it is drawn."""
        self.browser.open(self.folder, address, until=ready)
        return self

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        (found,) = self.until(lambda: self.all(selector))
        return found

    def texts(self, selector):
        """Of each element, as a reader sees them, in one line."""
        return [" ".join(text.split()) for text in self.browser.texts(selector)]

    def links(self, selector):
        """Where each leads: what follows "#"."""
        every = self.run("return [...document.querySelectorAll(arguments[0])].map((each) => each.href)", selector)
        return [link.partition("#")[2] for link in every]

    @property
    def address(self):
        return self.browser.address.removeprefix("#")

    def until(self, seen):
        """What `seen` gives once it is true."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if found := seen():
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

    def point(self, element, x=0.5, y=0.5):
        """Move the pointer to a place within an element, in shares of its sides."""
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        size = element.size
        right, down = int(size["width"] * (x - 0.5)), int(size["height"] * (y - 0.5))
        ActionChains(self.driver, duration=0).move_to_element_with_offset(element, right, down).perform()

    def click(self):
        """Where the pointer is."""
        ActionChains(self.driver, duration=0).click().perform()

    def press(self, *keys):
        self.browser.press(*keys)
