"""Takes a picture of an HTML report: `python -m tests.browser.screenshot report.html report.png [phone] [dark] [open] [first]`.

For the documentation's picture and for looking at the page by eye; no test.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from tests.browser.chromium import open_browser

DESKTOP, PHONE = (1200, 900), (390, 844)


def screenshot(
    page: Path, picture: Path, *, phone: bool = False, dark: bool = False, unfold: int = 0, full: bool = True
) -> None:
    """Write a PNG of a page.

    Args:
        page: The HTML file.
        picture: The PNG to write.
        phone: 390 pixels wide rather than 1200, at double density.
        dark: In the dark scheme.
        unfold: How many cases to open first.
        full: The whole page rather than its first screen.
    """
    width, height = PHONE if phone else DESKTOP
    with open_browser() as browser:
        tab = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            device_scale_factor=2 if phone else 1,
        )
        tab.goto(page.resolve().as_uri())
        for summary in tab.locator(".case > summary").all()[:unfold]:
            summary.click()
        tab.screenshot(path=picture, full_page=full)


def main(arguments: Iterable[str]) -> None:
    """Read the command line: two paths, then any of the words."""
    page, picture, *words = arguments
    screenshot(
        Path(page),
        Path(picture),
        phone="phone" in words,
        dark="dark" in words,
        unfold=2 if "open" in words else 0,
        full="first" not in words,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
