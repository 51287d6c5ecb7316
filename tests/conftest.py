"""What holds for every test, and the browser that some share."""

import pytest
from helpers.lab import chromium
from hypothesis import settings

# A busy machine is slow, not wrong: no example fails for taking long.
settings.register_profile("hmr_edu", deadline=None)
settings.load_profile("hmr_edu")


@pytest.fixture(scope="module")
def browser():
    if not chromium():
        pytest.skip("no chromium: `make test` installs Debian's, where it may")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()
