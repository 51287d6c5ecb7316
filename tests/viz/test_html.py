"""Pages from templates: whatever a run is called stays text, and no template misses a value."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest
from jinja2 import UndefinedError, meta
from markupsafe import escape

from hmr_edu.viz import orbit
from hmr_edu.viz.explore.explorer import Explorer
from hmr_edu.viz.orbit import write_html
from hmr_edu.viz.report import html, page
from hmr_edu.viz.report.page import write_report

EVIL = "<script>alert(1)</script>\" onerror='alert(2)' &amp; <b>"
SQUARE = np.array([[0.0, 0, 2], [0, 1, 2], [1, 1, 2], [1, 0, 2]]), np.array([[0, 1, 2], [0, 2, 3]])
PICTURE = np.zeros((8, 8, 3), np.uint8)


class Tags(HTMLParser):
    """The tags of a page, the names of their attributes, its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data + " "


def evil_run(folder):
    """A run whose every name and text is a piece of markup."""
    run = folder / "<script>alert(1)<"
    run.mkdir()
    metrics = {"pa_mpjpe": 100.0, "per_joint": {EVIL: 1.0}}
    about = {"images": 2, "poses": EVIL, "real_poses": EVIL}
    evaluation = {
        EVIL: {"about": about, "baselines": {EVIL: metrics}, "before": metrics, "after": metrics}
    }
    (run / "evaluation.json").write_text(json.dumps(evaluation))
    (run / "config.json").write_text(json.dumps({"name": EVIL, "model": {"body": EVIL}}))
    (run / "environment.json").write_text(json.dumps({"cpu": EVIL, "commit": EVIL}))
    step = {"step": 1, "images": 2, "losses": {EVIL: 1.0, "adversary": 1.0}}
    (run / "metrics.jsonl").write_text(json.dumps(step) + "\n" + EVIL)
    (run / "samples").mkdir()
    (run / "samples" / "000000001.npz").write_text(EVIL)
    return run


def test_a_run_called_script_is_text(tmp_path):
    tags = Tags(write_report(evil_run(tmp_path)).read_text())
    allowed = "html head meta link title style body main div h1 h2 h3 p b strong ul li span small"
    allowed += " table caption thead tbody tr th td figure img figcaption details summary pre"
    assert set(tags.tags) <= set(allowed.split())
    assert "b" in tags.tags  # the headline's own
    assert tags.tags.count("b") == 1
    assert not {name for name in tags.attributes if name.startswith("on")}
    assert "<script>alert(1)<" in tags.text
    # Test set, headline, table, caption, machine, commit, options: each as it was written.
    assert tags.text.count(EVIL) >= 8


def test_a_picture_called_script_is_text(tmp_path, monkeypatch):
    monkeypatch.setattr(orbit.go.Figure, "to_html", lambda *_, **__: "<i>plotly's own markup</i>")
    write_html(tmp_path / "page.html", *SQUARE, PICTURE, EVIL)
    tags = Tags((tmp_path / "page.html").read_text())
    assert tags.tags.count("i") == 1  # the figure is markup
    assert not {"script", "b"} & set(tags.tags)
    assert "onerror" not in tags.attributes
    assert tags.text.count(EVIL) == 2  # title and heading


def test_what_an_explorer_says_is_text():
    figure = orbit.body_figure(*SQUARE)
    explorer = Explorer(figure, {}, lambda _: EVIL, title=EVIL)
    heading = explorer.children[0].children[1].children[0]
    for widget in (heading, explorer.readout):
        tags = Tags(widget.value)
        assert not {"script", "b"} & set(tags.tags)
        assert tags.text.strip() == EVIL


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """Every page of the package, drawn once: its template and the values that it got."""
    recorded = {}

    def render(template, **values):
        recorded[template] = values
        return html.TEMPLATES.get_template(template).render(values)

    for module in (html, page, orbit):
        monkeypatch.setattr(module, "render", render)
    monkeypatch.setattr("hmr_edu.viz.explore.explorer.render", render)
    monkeypatch.setattr("hmr_edu.viz.explore.iterations.render", render)
    write_report(evil_run(tmp_path))
    write_html(tmp_path / "page.html", *SQUARE, PICTURE, "title")
    html.svg_figure("<svg/>", "a drawing")
    Explorer(orbit.body_figure(*SQUARE), {}, lambda _: None, title="title")
    return recorded | {"step_errors.html": {"titles": ["mm"], "steps": [(1.0,), (0.5,)]}}


def test_a_value_that_a_template_misses_is_an_error(calls):
    shared = {"base.html", "macros.html", "style.css"}
    assert calls.keys() == set(html.TEMPLATES.list_templates()) - shared
    for name, values in calls.items():
        source = html.TEMPLATES.loader.get_source(html.TEMPLATES, name)[0]
        # None is given in vain, none is done without.
        assert values.keys() <= meta.find_undeclared_variables(html.TEMPLATES.parse(source))
        html.render(name, **values)
        for missing in values:
            rest = {key: value for key, value in values.items() if key != missing}
            with pytest.raises(UndefinedError, match=missing):
                html.render(name, **rest)


def test_a_field_that_is_misspelt_is_an_error():
    with pytest.raises(UndefinedError, match="source"):
        html.render("figure.html", drawing={"alt": "", "caption": ""})


def test_every_template_escapes():
    for name in ("figure.html", "explorer_title.html"):
        drawing = html.Drawing("data:,", EVIL, EVIL)
        assert str(escape(EVIL)) in html.render(name, drawing=drawing, title=EVIL)


def test_errors_of_steps_stand_in_a_table():
    text = html.render("step_errors.html", titles=["px", "mm"], steps=[(1.04, 2.0), (0.5, 1.25)])
    assert Tags(text).text.split() == ["step", "px", "mm", "0", "1.0", "2.0", "1", "0.5", "1.2"]
