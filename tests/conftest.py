"""What holds for every test, and the browser that some share."""

import pytest
from hypothesis import HealthCheck, settings
from lab import chromium, launch

# A busy machine is slow, not wrong: no example fails for taking long.
settings.register_profile("hmr_edu", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hmr_edu")
BROWSER_SECONDS = 7200  # every wait in a browser test has its own limit: this is for the others


def pytest_collection_modifyitems(items):
    """Leave the end of a browser test to the limits that it takes from this machine's pace."""
    for item in items:
        if item.get_closest_marker("browser") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(BROWSER_SECONDS))


@pytest.fixture(scope="module")
def browser():
    if not chromium():
        pytest.skip("no chromium: `make test` installs Debian's, where it may")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()
