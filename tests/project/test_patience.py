"""The browser tests' helper acts again when an act is lost, and says so when it never shows."""

import pytest
from helpers.lab import new_page
from helpers.patience import FLOOR, PACE, TIMES, Pace, act_until

pytestmark = pytest.mark.browser

# A button that takes no notice of its first clicks, as a page does whose script comes late.
DEAF = """<button>go</button><script>
  let heard = 0;
  document.querySelector('button').onclick = ({target}) => {
    if (++heard > DEAF_FOR) target.textContent = 'gone';
  };
</script>"""


@pytest.fixture
def page(browser):
    page = new_page(browser)
    yield page
    page.close()


def clicks(page, deaf_for: str):
    page.set_content(DEAF.replace("DEAF_FOR", deaf_for))
    made = []

    def click():
        made.append(1)
        page.locator("button").click()

    return click, made


GONE = "document.querySelector('button').textContent === 'gone'"


def test_what_is_lost_is_done_again(page):
    click, made = clicks(page, "2")
    assert act_until(page, click, GONE, "gone", pause=0.1) is True
    assert len(made) == 3


def test_what_is_taken_is_not_done_again(page):
    click, made = clicks(page, "0")
    act_until(page, click, lambda: page.get_by_text("gone").is_visible(), "gone")
    assert len(made) == 1


def test_what_never_shows_fails_and_says_what(page, monkeypatch):
    monkeypatch.setattr("helpers.patience.FLOOR", 1)
    monkeypatch.setattr(PACE, "slowest", 0.0)
    click, made = clicks(page, "Infinity")
    with pytest.raises(AssertionError, match=r"not after \d+ tries in \d+ s: the button is gone"):
        act_until(page, click, GONE, "the button is gone", pause=0.1)
    assert len(made) > 1


def test_a_target_that_is_not_there_is_named(page, monkeypatch):
    monkeypatch.setattr("helpers.patience.FLOOR", 1)
    monkeypatch.setattr(PACE, "slowest", 0.0)
    page.set_content("<p>nothing to press</p>")
    with pytest.raises(AssertionError, match="pressed") as failure:
        act_until(page, lambda: page.locator("button").click(timeout=200), "false", "pressed")
    assert 'locator("button")' in str(failure.value.__cause__)


def test_a_slow_machine_is_given_more_time():
    pace = Pace()
    assert pace.limit == FLOOR
    pace.slowest = 60.0
    assert pace.limit == 60 * TIMES > FLOOR
    assert pace.pause == 15
