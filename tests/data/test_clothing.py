from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from hmr_edu.body import SMPL, load_body
from hmr_edu.body.files import read_body
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.wardrobe.chart import Chart
from hmr_edu.data.synthetic.wardrobe.faces import paint_heads
from hmr_edu.data.synthetic.wardrobe.palette import from_hue, palettes
from hmr_edu.data.synthetic.wardrobe.regions import NEUTRAL, SHADES, Region
from hmr_edu.data.synthetic.wardrobe.rest_landmarks import RestLandmarks


@pytest.fixture(scope="module")
def body():
    return load_body("lite")


def test_heads_tell_front_from_back(body):
    marks = RestLandmarks.of(body)
    sheets = paint_heads(marks, 64, seed=1).view(64, 2, -1) // SHADES
    hairy = ((sheets == Region.HAIR) | (sheets == Region.HEADWEAR)).float().mean(2)
    front, back = hairy.T
    assert ((back - front) > 0.1).float().mean() > 0.85
    eyes = (sheets == Region.EYE_WHITE).any(2)
    assert eyes[:, 0].float().mean() > 0.8
    assert not eyes[:, 1].any()


def test_landmarks_follow_the_body(body):
    data = read_body("lite")
    stretched = SMPL(replace(data, v_template=1.1 * data.v_template))
    marks, larger = RestLandmarks.of(body), RestLandmarks.of(stretched)
    assert marks.sole < marks.ankle < marks.knee < marks.hip < marks.waist < marks.chest
    assert marks.chest < marks.neck < marks.chin < marks.crown
    assert 0 < marks.shoulder_x < marks.elbow_x < marks.wrist_x < marks.reach_x
    for f in fields(marks):
        ratio = np.array(getattr(larger, f.name)) / np.array(getattr(marks, f.name))
        np.testing.assert_allclose(ratio, 1.1, rtol=1e-4)


def test_chart_finds_the_texel_it_painted():
    chart = Chart(half_width=0.5, top=1.0, bottom=0.0, pitch=0.1)
    assert (chart.rows, chart.columns, chart.size) == (10, 10, 200)
    x, y, front = chart.grid()
    shape = (1, 2, 10, 10)
    x, y, back = (v.expand(shape).flatten() for v in (x, y, ~front))
    assert torch.equal(chart.texel(x, y, back), torch.arange(200))
    far = torch.tensor([9.0])
    assert chart.texel(far, far, torch.tensor([False])).item() == 9


def test_palette_follows_the_regions():
    table = palettes(Draws(500, 0)).view(500, 3, len(Region), SHADES)
    assert table.min() > 0
    skin = table[:, :, Region.SKIN, NEUTRAL]
    # Human skin is redder than green, greener than blue; a fold is darker than the cloth.
    assert (skin[:, 0] > skin[:, 1]).float().mean() > 0.98
    assert (skin[:, 1] > skin[:, 2]).float().mean() > 0.9
    assert (table.diff(dim=3) > 0).all()


def test_hues_match_matplotlib():
    from matplotlib.colors import hsv_to_rgb

    hsv = torch.rand(200, 3, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(from_hue(*hsv.T), hsv_to_rgb(hsv), atol=2e-6)
