"""What holds for every test, and the browser that some share."""

from pathlib import Path

import pytest
from helpers.lab import chromium, launch
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

# Shapes and types are checked at every call. Not in the course: it names no shapes, and checking
# plain types takes half of its tests' time, which the type checker does without running it.
PACKAGE = Path(__file__).parents[1] / "hmr_edu"
install_import_hook(
    [f"hmr_edu.{path.stem}" for path in sorted(PACKAGE.iterdir()) if path.stem != "course"],
    "beartype.beartype",
)

# A busy machine is slow, not wrong: no example fails for taking long.
settings.register_profile("hmr_edu", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hmr_edu")
PATIENCE = 3600  # seconds for a test that takes long: beside other work it takes far longer


def pytest_collection_modifyitems(items):
    """Give slow tests and a browser's more time than pyproject.toml gives to all."""
    for item in items:
        if any(item.get_closest_marker(kind) for kind in ("browser", "slow")):
            item.add_marker(pytest.mark.timeout(PATIENCE))


@pytest.fixture(scope="module")
def browser():
    if not chromium():
        pytest.skip("no chromium: `make test` installs Debian's, where it may")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()
