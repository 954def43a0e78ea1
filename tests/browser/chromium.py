"""Starts the headless Chromium that the browser tests drive; a missing browser is an error that says what to install."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def browser_path() -> str:
    """Find the browser: `LLM_EVAL_GATE_CHROMIUM`, else the first known name on the path.

    Raises:
        RuntimeError: If there is none; says how to get one.
    """
    named = os.environ.get("LLM_EVAL_GATE_CHROMIUM")
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        looked = f"LLM_EVAL_GATE_CHROMIUM={named}" if named else f"none of {', '.join(NAMES)} is on the path"
        raise RuntimeError(
            f"The browser tests need Chromium ({looked}). Install it with `apt-get install -y chromium fonts-noto-cjk`, "
            "or set LLM_EVAL_GATE_CHROMIUM to the path of a Chromium or Chrome."
        )
    return found


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start the browser, and stop it at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()
