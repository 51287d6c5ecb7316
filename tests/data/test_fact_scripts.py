"""The scripts that print facts about the wardrobe and the losses of masks."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.scripts import load_script


def test_a_skin_that_moves_below_a_garment_by_hand():
    """One centimetre apart; the first beta lifts the skin by 5 mm a unit, so by 10 mm at two."""
    script = load_script("data/wardrobe_facts.py")
    skin = np.stack(np.meshgrid(*[np.arange(5.0)] * 2, [0.0], indexing="ij"), -1).reshape(-1, 3)
    still = np.zeros((len(skin), 3, 10))
    lifted = still.copy()
    lifted[:, 2, 0] = 0.005
    piece = SimpleNamespace(template=skin + np.array([0, 0, 0.01]), directions=still)
    assert script.gap_change(piece, skin, lifted) == pytest.approx(0.01 / 10)
    assert script.gap_change(piece, skin, still) == 0
    moving = SimpleNamespace(template=piece.template, directions=lifted)
    assert script.gap_change(moving, skin, lifted) == pytest.approx(0)


def test_the_shipped_wardrobe_in_a_table(monkeypatch, capsys):
    script = load_script("data/wardrobe_facts.py")
    monkeypatch.setattr(script, "gap_change", lambda *_: 0.001)
    monkeypatch.setattr("sys.argv", [""])
    script.main()
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    wardrobe = script.load_wardrobe()
    assert rows[0][1].startswith(f"{len(wardrobe.garments)}, in ")
    assert rows[2][1] == "1.0 to 1.0 |"


def test_the_true_body_costs_less_than_somebody_elses(monkeypatch, capsys):
    script = load_script("data/mask_costs.py")
    monkeypatch.setattr("sys.argv", ["", "--people", "4", "--size", "32", "--repeats", "1"])
    script.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 people")
    for line in lines[3:]:
        _, true, other, _ = line.strip("| ").split(" | ")
        assert float(true) < float(other) / 2
