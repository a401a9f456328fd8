"""The system's Chromium, and a server of files for it."""

import contextlib
import functools
import http.server
import shutil
import threading

import pytest


@contextlib.contextmanager
def chromium(*flags):
    """Start playwright and the system's Chromium; the test is skipped where one is absent."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(flags))
        yield playwright, browser
        browser.close()


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        self.server.paths.append(self.path)


@contextlib.contextmanager
def serve(folder):
    """Serve a folder as ``python -m http.server`` does, and remember what was asked for."""
    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.paths = []
        server.handle_error = lambda *arguments: None  # a browser that hangs up
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def address(server):
    return f"http://127.0.0.1:{server.server_address[1]}/"
