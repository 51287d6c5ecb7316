"""Outlines of people: COCO's polygons become masks of crops, turned and mirrored with them."""

import json
import math

import numpy as np
import pytest
import torch
from helpers.few_looks import few_looks

from hmr_edu.camera import CropBox
from hmr_edu.data.augment import AUGMENTATIONS, Placement
from hmr_edu.data.photos.data_sets import open_data_set
from hmr_edu.data.photos.outlines import as_points, draw_outline, join_outlines, trace
from hmr_edu.data.photos.source import AnnotatedPhotos
from hmr_edu.data.photos.write_sets import write_set
from hmr_edu.keypoints import PERSON

SQUARE = [2.0, 1.0, 6.0, 1.0, 6.0, 3.0, 2.0, 3.0]  # columns 2 to 5, rows 1 and 2
WHOLE = Placement(CropBox(4.5, 4.5, 10))  # a picture of 10 x 10 pixels


def test_a_rectangle_by_hand():
    mask = draw_outline(as_points([SQUARE]), WHOLE, 10)
    wanted = torch.zeros(10, 10, dtype=torch.uint8)
    wanted[1:3, 2:6] = PERSON
    assert torch.equal(mask, wanted)
    large = draw_outline(as_points([SQUARE]), WHOLE, 100) == PERSON
    rows, columns = np.nonzero(large.numpy())
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx(
        (10, 29, 20, 59), abs=1
    )


def test_it_turns_and_mirrors():
    plain = draw_outline(as_points([SQUARE]), WHOLE, 100).numpy() == PERSON
    turned = draw_outline(as_points([SQUARE]), Placement(WHOLE.box, math.pi / 2), 100)
    mirrored = draw_outline(as_points([SQUARE]), Placement(WHOLE.box, 0.0, True), 100)
    for found, wanted in ((turned, np.rot90(plain, -1)), (mirrored, plain[:, ::-1])):
        differ = (found.numpy() == PERSON) != wanted
        assert differ.sum() < 150  # the border of 120 pixels


def test_several_polygons_and_what_is_none():
    odd = [[1, 2, 3], [1, 2, 3, 4], [math.inf] * 6, [2e9] * 6]
    assert len(as_points(odd)) == len(as_points({"counts": []})) == 0
    points = as_points([SQUARE, [8, 8, 9, 8, 9, 9]])
    assert np.isnan(points).any(1).tolist() == [False] * 4 + [True] + [False] * 3
    all_points, rows = join_outlines([points, as_points([]), points[:4]])
    assert rows.tolist() == [[0, 8], [8, 8], [8, 12]]
    assert len(all_points) == 12
    both = draw_outline(points, WHOLE, 100) == PERSON
    assert both[85, 88]
    assert both[20, 40]
    assert not both[50, 70]


def test_trace_is_the_way_back():
    mask = np.zeros((10, 10), np.uint8)
    mask[1:3, 2:6] = 7
    mask[8:, 8:] = 7
    again = draw_outline(as_points(trace(mask)), WHOLE, 100).numpy() == PERSON
    wanted = np.kron(mask > 0, np.ones((10, 10), bool))
    # Corners are cut by half a pixel of the mask.
    assert (again != wanted).sum() < 0.1 * wanted.sum()


def test_masks_of_a_written_set_are_those_of_its_people(tmp_path, monkeypatch):
    monkeypatch.setenv("HMR_EDU_CACHE", str(tmp_path / "cache"))
    people = few_looks(seed=3, image_size=64, batch_size=6, fill=(0.6, 0.7))
    folder = write_set("coco", tmp_path / "coco", people, 6)
    table = open_data_set("coco", folder)
    whole = Placement(CropBox(31.5, 31.5, 64))
    for row in range(6):
        number = int(table.path(row).stem) - 1
        wanted = people[0].parts[number] > 0
        found = draw_outline(table.outline(row), whole, 64) == PERSON
        overlap = (found & wanted).sum() / (found | wanted).sum()
        assert overlap > 0.85

    source = AnnotatedPhotos(table, 6, 32, augment=AUGMENTATIONS["strong"])
    batch = source.finish(source.prepare(0))
    assert batch.has_silhouette.all()
    assert not batch.has_parts.any()
    inside = batch.parts > 0
    assert 0.05 < inside.float().mean() < 0.6
    # Visible keypoints lie on the masks, or beside them by a pixel of the mask.
    near = torch.nn.functional.max_pool2d(inside.float()[:, None], 3, 1, 1)[:, 0]
    pixel = ((batch.keypoints2d + 1) * 16).long()
    there = (batch.visible > 0) & (pixel >= 0).all(2) & (pixel < 32).all(2)
    rows = torch.arange(6)[:, None].expand(6, 19)
    hits = near[rows[there], pixel[there][:, 1], pixel[there][:, 0]]
    assert hits.mean() > 0.95


def test_run_length_codes_and_missing_outlines(tmp_path, monkeypatch):
    monkeypatch.setenv("HMR_EDU_CACHE", str(tmp_path / "cache"))
    people = few_looks(image_size=32, batch_size=4)
    folder = write_set("coco", tmp_path / "coco", people, 4)
    path = folder / "annotations" / "person_keypoints_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"][1]["segmentation"] = {"counts": [1, 2], "size": [32, 32]}
    del content["annotations"][2]["segmentation"]
    path.write_text(json.dumps(content))
    source = AnnotatedPhotos(open_data_set("coco", folder), 4, 32)
    batch = source.finish(source.prepare(0))
    known = [row in (0, 3) for row in source.rows(0)]
    assert batch.has_silhouette.tolist() == known
