"""A real Chromium, headless: needs one installed, which .ci/run sees to."""

import shutil
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

NAMES = 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'


@pytest.fixture(scope='session')
def chromium():
    found = [path for path in map(shutil.which, NAMES) if path]
    assert found, 'needs Chromium: apt-get install --no-install-recommends chromium'
    with sync_playwright() as playwright:
        # Root may not use Chromium's sandbox; the pages are ours.
        browser = playwright.chromium.launch(executable_path=found[0], args=['--no-sandbox'])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Return a function that opens an address in a window of some width, as wide as a phone with
    fingers for a mouse. At the end nothing has been said on any console, asked of another place, or
    hidden to the right.
    """
    opened: list[tuple[Page, str]] = []
    said: list[str] = []

    def open_it(address: str, width: int) -> Page:
        phone = width < 600
        context = chromium.new_context(
            viewport={'width': width, 'height': 800}, has_touch=phone, is_mobile=phone
        )
        page = context.new_page()
        page.on('console', lambda message: said.append(message.text))
        page.on('pageerror', lambda error: said.append(str(error)))
        page.on('requestfailed', lambda request: said.append(f'{request.url} {request.failure}'))
        origin = address.rpartition('/')[0]
        page.on('request', lambda request: _note(said, request.url, origin))
        page.goto(address)
        opened.append((page, address))
        return page

    yield open_it
    for page, _ in opened:
        width = page.viewport_size['width']
        assert page.evaluate('document.documentElement.scrollWidth') == width
        page.context.close()
    assert said == []


def _note(said: list[str], url: str, origin: str) -> None:
    if not url.startswith((origin, 'data:', 'blob:')):
        said.append(f'asked for {url}')


@contextmanager
def served(folder: Path):
    """Serve a folder over HTTP and yield its address."""
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass
