"""A reader meets a word, or a symbol, together with what it means, and one meaning only."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# A word, and a piece of the sentence that explains it: in the cell that uses it first, or before.
EXPLAINED = {
    r"backbone": "the part of the encoder that looks at the picture",
    r"COCO\+": "points that people can click in a photograph",
    r"crop coordinates": "from $-1$ to $1$, left to right",
    r"dual.quaternion": "blends screw motions",
    r"EXIF": "a camera writes them into the file",
    r"flip test": "the network sees the picture and its mirror image",
    r"\bGAN\b": "generative adversarial network",
    r"half-crop": "half of the picture's side",
    r"heat-map": "a picture of where a keypoint probably is",
    r"ImageNet": "a data set of a million photographs",
    r"\bLSP\b": "Leeds Sports Pose",
    r"LSGAN": "a GAN by least squares",
    r"(?<!PA-)MPJPE": "mean per-joint position error",
    r"motion capture": "recorded poses",
    r"PA-MPJPE": "Procrustes alignment",
    r"pose prior": "a probability over human poses",
    r"quaternion": "holds both in four numbers",
    r"rasteris": "turns triangles into pixels",
    r"SMPLify": "fits a body to keypoints",
    r"t-test": "Where there is no difference, this test still finds one",
}
# The sections on other people's code and the literature are looked up, not read in order.
TAIL = re.compile(r"^## (In the public code bases|References)", re.MULTILINE)


def cells(path: Path) -> list[str]:
    """The words of a lesson's cells: no tables, which sum up, and no figures."""
    found = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"data:image/[^)\"]+", "", cell.source)
            found.append(re.sub(r"\s+", " ", re.sub(r"^\|.*$", "", text, flags=re.MULTILINE)))
            if TAIL.search(cell.source):
                break
    return found


TEXTS = [text for path in LESSONS for text in cells(path)]


@pytest.mark.parametrize("word", EXPLAINED)
def test_a_word_is_explained_where_it_comes_first(word):
    first = next(number for number, text in enumerate(TEXTS) if re.search(word, text))
    assert EXPLAINED[word] in " ".join(TEXTS[: first + 1]), TEXTS[first]


@pytest.mark.parametrize(
    "path", [*LESSONS, *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_lambda_weighs_what_is_supervised(path):
    """As in the paper: L = lambda (L_reproj + L_3D) + L_adv."""
    text = path.read_text(encoding="utf-8").replace("\\\\", "\\")
    assert not re.search(r"\\lambda\s*(\\[,;!]\s*)?L_(\\text)?\{?\s*adv", text)


def test_the_hat_is_for_predictions_alone():
    """In lesson 03 it was also what is left of a point without its depth; that is Pi."""
    text = (ROOT / "notebooks" / "03_projection.ipynb").read_text(encoding="utf-8")
    assert set(re.findall(r"\\hat ?\{?(\w)", text)) == {"x"}
