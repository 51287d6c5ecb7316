"""The report drawn from whole, partial and damaged records."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers.toy_body import toy_body

from hmr_edu.body import save_body
from hmr_edu.viz.report import charts
from hmr_edu.viz.report.page import write_report
from hmr_edu.viz.report.records import Step, read_run, read_samples

PEOPLE, ITERATIONS = 2, 3


def metrics(error):
    values = {"mpjpe": 2 * error, "pa_mpjpe": error, "pve": 3 * error, "pck": 0.5, "auc": 0.25}
    values |= {"facing_wrong": 0.125, "distance_to_real_pose": 12.5, "pck2d": 0.75}
    return values | {"per_joint": {"left_knee": error, "head_top": error / 2}}


def evaluation():
    baselines = {"best single yaw": metrics(160.0), "mean theta": metrics(150.0)}
    steps = [{"pa_mpjpe": 120.0}, {"pa_mpjpe": 105.0}, {"pa_mpjpe": 90.0}]
    return {
        "test-prior": {
            "about": {"images": 1000, "poses": "shipped prior"},
            "baselines": baselines,
            "before": metrics(155.0),
            "after": metrics(90.0) | {"steps": steps},
            "truth": {"distance_to_real_pose": 9.5},
        }
    }


def samples(path, seed=0, **changes):
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(PEOPLE, ITERATIONS, 85)).astype(np.float32) * 0.1
    theta[..., 0] = 0.8
    arrays = {
        "images": rng.integers(0, 255, (PEOPLE, 16, 16, 3), dtype=np.uint8),
        "theta": theta,
        "true_theta": theta[:, -1],
        "true_keypoints2d": rng.uniform(-1, 1, (PEOPLE, 19, 2)).astype(np.float32),
    }
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **arrays | changes)


def line(step, **losses):
    record = {"step": step, "images": 32 * step, "seconds": 0.5 * step}
    record |= {"images_per_second": 64.0, "learning_rate": 1e-3}
    return json.dumps(record | {"losses": losses or {"pose": 1 / (1 + step), "adversary": 6.0}})


@pytest.fixture
def lean(tmp_path):
    """A run of a small body that left neither curves nor pictures."""
    folder = tmp_path / "runs" / "first <run>"
    folder.mkdir(parents=True)
    save_body(tmp_path / "toy.npz", toy_body())
    config = {"name": "first", "model": {"body": str(tmp_path / "toy.npz")}, "critics": 19}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "environment.json").write_text(json.dumps({"cpu": "Some <CPU>", "commit": "abc123"}))
    (folder / "evaluation.json").write_text(json.dumps(evaluation()))
    return folder


@pytest.fixture
def run(lean):
    """A complete run."""
    lines = [line(i, pose=1 / i, adversary=6.0, critics=9.0) for i in range(1, 60)]
    (lean / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    for i, seen in enumerate((0, 1000, 2000)):
        samples(lean / "samples" / f"{seen:09d}.npz", seed=i)
    return lean


class Page(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.images, self.sources, self.words = [], [], []
        self.feed(path.read_text())
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.sources += [v for k, v in attrs.items() if k in ("src", "href", "srcset", "data")]
        if tag == "img":
            self.images.append(attrs)

    def handle_data(self, data):
        self.words.append(data)


def test_a_whole_run(run):
    path = write_report(run)
    page = Page(path)
    assert path == run / "report.html"
    assert path.stat().st_size < 3e6
    assert all(source.startswith("data:") for source in page.sources)
    assert "url(" not in path.read_text()
    assert all(image["alt"].strip() for image in page.images)
    # Input, truth, before, three steps and two side views a person; three moments; 5 charts.
    assert len(page.images) == PEOPLE * 8 + PEOPLE * 3 + 5
    assert "Not complete" not in page.text
    # 90 of 150 mm: the ratio is to the mean theta, wherever it stands in the list.
    assert "0.60 \N{MULTIPLICATION SIGN}" in page.text
    assert "90.0 mm against 150.0 mm; before training 155.0 mm" in page.text
    assert "after, step 2 only 105.0 0.70" in page.text
    assert "step 3 only" not in page.text  # that is the answer
    assert "9.5\N{DEGREE SIGN}" in page.text
    assert "1,000 pictures. Poses: shipped prior." in page.text
    assert "12.5 %" in page.text  # facing wrong, a share
    assert "first <run>" in page.text
    assert "<run>" not in path.read_text()
    assert "abc123" in page.text
    assert "19 critics" in page.text


def test_an_empty_folder_names_what_is_missing(tmp_path):
    page = Page(write_report(tmp_path))
    for name in ("config.json", "environment.json", "metrics.jsonl", "evaluation.json", "samples"):
        assert name in page.text
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_report(tmp_path / "nowhere")


def test_what_a_run_lacks_is_named(run):
    assert read_run(run).notes == []
    for name in ("config.json", "environment.json", "metrics.jsonl", "evaluation.json"):
        (run / name).rename(run / "away")
        (note,) = read_run(run).notes
        assert note.startswith(f"{name} is missing")
        (run / "away").rename(run / name)


@pytest.mark.parametrize("name", ["config.json", "environment.json", "evaluation.json"])
@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "\0\xff", "null"])
def test_damaged_json_is_named(run, name, content):
    (run / name).write_text(content, encoding="latin1")
    (note,) = read_run(run).notes
    assert note.startswith(f"{name} is damaged")


@pytest.mark.parametrize(
    "content",
    [
        {"test-prior": None},
        {"test-prior": {"after": metrics(90.0)}},
        {"test-prior": {"after": {"pa_mpjpe": 10**400}}},
        {"test-prior": {"baselines": None, "after": {"pa_mpjpe": None, "per_joint": {}}}},
        {"test-prior": {"baselines": {"mean theta": {}}, "after": {"pa_mpjpe": "many"}}},
        {"test-prior": {"baselines": {"mean theta": metrics(0.0)}, "after": metrics(float("nan"))}},
    ],
)
def test_odd_evaluations_are_drawn_as_far_as_they_go(lean, content):
    (lean / "evaluation.json").write_text(json.dumps(content))
    assert "Some <CPU>" in Page(write_report(lean)).text


@pytest.mark.parametrize("critics", ["many", None, 2.5, 10**400, -1])
def test_an_odd_number_of_critics_is_named(run, critics):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"critics": critics}))
    assert "25 are assumed" in Page(write_report(run)).text


def test_damaged_lines_are_named_and_the_rest_is_drawn(run):
    bad = [
        "{",
        '{"step": 3}',
        '{"step": "x", "images": 1}',
        "[]",
        "7",
        '{"step": 1, "images": 1e999}',
    ]
    bad += ['{"step": 5, "images": 9, "losses": {"pose": "high"}}', "\ufffd\0"]
    (run / "metrics.jsonl").write_text(
        "\n".join([line(1), *bad, "", line(2)]) + '\n{"step": 3, "im'
    )
    found = read_run(run)
    assert [step.step for step in found.steps] == [1, 2]
    damaged, torn = found.notes
    assert "lines 2, 3, 4, 5, 6, 7, 8, 9 damaged" in damaged
    assert torn == "metrics.jsonl: the last line is cut off and left out."


def test_a_resumed_run_counts_each_step_once(run):
    lines = [line(step, pose=1.0) for step in (10, 20, 30, 40)]
    lines += [line(step, pose=2.0) for step in (30, 40, 50)]
    (run / "metrics.jsonl").write_text("\n".join(lines))
    steps = read_run(run).steps
    assert [(step.step, step.losses["pose"]) for step in steps] == [
        (10, 1.0),
        (20, 1.0),
        (30, 2.0),
        (40, 2.0),
        (50, 2.0),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"theta": np.zeros((), np.float32)},
        {"theta": np.zeros((PEOPLE, 85), np.float32)},
        {"theta": np.zeros((PEOPLE, 0, 85), np.float32)},
        {"theta": np.full((PEOPLE, ITERATIONS, 85), np.nan, np.float32)},
        {"images": np.zeros((PEOPLE, 16, 16, 3), np.float32)},
        {"images": np.zeros((), np.uint8)},
        {"true_keypoints2d": np.zeros((PEOPLE, 14, 2), np.float32)},
    ],
)
def test_damaged_samples_are_named(lean, changes):
    samples(lean / "samples" / "000001000.npz")
    samples(lean / "samples" / "000002000.npz", **changes)
    page = Page(write_report(lean))
    assert "000002000.npz" in page.text
    # The earlier moment is still there.
    assert any("before" in image["alt"] for image in page.images)


def test_samples_cut_short(lean):
    path = lean / "samples" / "000001000.npz"
    samples(path)
    path.write_bytes(path.read_bytes()[:200])
    page = Page(write_report(lean))
    assert "000001000.npz: damaged" in page.text
    assert "before and after" not in page.text


def test_read_samples_takes_the_moment_from_the_name(tmp_path):
    samples(tmp_path / "s" / "000012345.npz")
    assert read_samples(tmp_path / "s" / "000012345.npz").images_seen == 12345


def test_an_unknown_body_is_named(lean):
    samples(lean / "samples" / "000001000.npz")
    (lean / "config.json").write_text(json.dumps({"model": {"body": "gone.npz"}}))
    assert "gone.npz" in Page(write_report(lean)).text


def test_smoothing_keeps_lines_and_skips_holes():
    values = np.linspace(3, 5, 101)
    np.testing.assert_allclose(charts.smooth(values, 3)[20:-20], values[20:-20], atol=1e-9)
    flat = np.full(50, 2.0)
    flat[[0, 7, 8, 49]] = np.nan
    np.testing.assert_allclose(charts.smooth(flat, 2), 2.0)
    assert np.isnan(charts.smooth(np.full(5, np.nan), 2)).all()


def test_charts_of_very_short_runs():
    for n in (1, 2):
        steps = read_steps(n)
        for chart in (charts.loss_chart, charts.adversary_chart, charts.speed_chart):
            assert chart(steps).startswith("<svg")
    assert charts.adversary_chart(read_steps(3, adversary=False)) is None


def read_steps(n, adversary=True):
    losses = {"pose": 1.0} | ({"adversary": 6.0} if adversary else {})
    return [Step(i, 32 * i, 1.0 * i, 60.0, 1e-3, losses) for i in range(n)]


def test_chance_lines_stand_where_every_critic_says_one_half():
    steps = read_steps(5)
    for critics, chance in ((25, "6.25"), (19, "4.75")):
        assert charts.ADVERSARY["adversary"][1] * critics == float(chance)
        assert charts.adversary_chart(steps, critics)
    assert charts.ADVERSARY["critics"][1] * 25 == 12.5
