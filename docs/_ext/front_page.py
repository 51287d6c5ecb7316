"""Make the pictures of the site's front page from the two shipped photographs.

    python docs/_ext/front_page.py

writes into docs/images:
steps.webp, the shipped network's regression steps moving over a photograph;
steps.png, its last frame, for readers who want no motion;
photographs.webp, both photographs with what the network and a fit to its heat-maps made of them.

tests/docs/test_front_page.py fails when the files are older than the weights.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from hmr_edu.crop import crop_image
from hmr_edu.data import EXAMPLES, AnnotatedPerson, read_annotations, read_photo
from hmr_edu.fitting.refining import Refined
from hmr_edu.hmr import load_pretrained
from hmr_edu.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hmr_edu.theta import join_theta, split_theta
from hmr_edu.viz import contact_sheet, overlay, resize, turntable

IMAGES = Path(__file__).parents[1] / "images"
SIZE = 400  # pixels of the moving picture's side
HOLD, BETWEEN = 900, 50  # milliseconds that a step, and a frame between two steps, is shown
NAMES = ("0: the mean body", "step 1", "step 2", "step 3", "fitted to the heat-maps")

Picture = UInt8[np.ndarray, "height width 3"]


def people() -> dict[str, AnnotatedPerson]:
    """Return the annotated people of the shipped photographs by file name."""
    return {person.path.name: person for person in read_annotations(EXAMPLES / "keypoints.json")}


def thetas(model: Refined, person: AnnotatedPerson) -> Float[Tensor, "5 85"]:
    """Return where the regression starts, its three steps, and the fit to the heat-maps."""
    pixels = crop_image(read_photo(person.path), person.crop, model.image_size)
    steps = model(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255)
    start = model.regressor.read(model.regressor.mean_state[None]).theta
    return torch.cat([start, *(step.theta for step in steps)]).detach()


def between(a: Float[Tensor, " 85"], b: Float[Tensor, " 85"], share: float) -> Float[Tensor, " 85"]:
    """Return a theta on the way from one to another: each joint on its shortest turn."""
    (camera, pose, betas), to = split_theta(a), split_theta(b)
    turned = axis_angle_to_matrix(pose.view(24, 3))
    rest = matrix_to_axis_angle(turned.mT @ axis_angle_to_matrix(to.pose.view(24, 3)))
    pose = matrix_to_axis_angle(turned @ axis_angle_to_matrix(share * rest)).flatten()
    return join_theta(
        torch.lerp(camera, to.camera, share), pose, torch.lerp(betas, to.betas, share)
    )


def frames(model: Refined, person: AnnotatedPerson) -> Iterator[tuple[Picture, int]]:
    """Yield the frames of the moving picture and how long each is shown, in milliseconds."""
    photo = read_photo(person.path)
    places = thetas(model, person)
    steps = list(zip(places, NAMES, strict=True))
    yield _frame(photo, None, person, model, "the photograph"), HOLD
    for (a, name), (b, _) in pairwise(steps):
        yield _frame(photo, a, person, model, name), HOLD
        # Steps 2 and 3 hardly move: a frame or two do.
        moved = model.model.detail(b[None]).keypoints2d - model.model.detail(a[None]).keypoints2d
        count = int(moved.norm(dim=-1).mean() * 40)
        for n in range(1, min(count, 9)):
            ease = 0.5 - 0.5 * np.cos(np.pi * n / min(count, 9))
            yield _frame(photo, between(a, b, float(ease)), person, model, name), BETWEEN
    last, name = steps[-1]
    yield _frame(photo, last, person, model, name), 2 * HOLD


def _frame(
    photo: Picture,
    theta: Float[Tensor, " 85"] | None,
    person: AnnotatedPerson,
    model: Refined,
    label: str,
) -> Picture:
    """Return the photograph with a body over it and a label below it."""
    if theta is not None:
        body = model.model.detail(theta[None])
        vertices, camera = body.vertices[0], body.camera[0]
        photo = overlay(photo, vertices, model.body.faces, camera, 0.85, box=person.crop)
    picture = Image.fromarray(resize(photo, SIZE))
    sheet = Image.new("RGB", (SIZE, SIZE + 28), "#17324a")
    sheet.paste(picture.crop((0, 0, SIZE, SIZE)))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    pen.text((SIZE / 2, SIZE + 14), label, fill="white", font=font, anchor="mm")
    return np.asarray(sheet)


def photographs(model: Refined) -> Picture:
    """Return a row for each photograph: itself, the network's body, the fitted one, its side."""
    tiles, labels = [], []
    for person in people().values():
        photo = read_photo(person.path)
        bodies = model.model.detail(thetas(model, person)[-2:])
        tiles.append(resize(photo, 300)[:300])
        for vertices, camera in zip(bodies.vertices, bodies.camera, strict=True):
            drawn = overlay(photo, vertices, model.body.faces, camera, 0.85, box=person.crop)
            tiles.append(resize(drawn, 300)[:300])
        tiles += turntable(bodies.vertices[1], model.body.faces, 300, (90,))
        labels += ["photograph", "network", "fitted", "fitted, from the side"]
    return contact_sheet(tiles, 4, labels)


def main() -> None:
    """Write the three files."""
    model = Refined(load_pretrained("resnet18")).eval()
    moving = list(frames(model, people()["cameraman.jpg"]))
    pictures = [Image.fromarray(picture) for picture, _ in moving]
    pictures[0].save(
        IMAGES / "steps.webp",
        save_all=True,
        append_images=pictures[1:],
        duration=[shown for _, shown in moving],
        loop=0,
        quality=70,
        method=6,
    )
    pictures[-1].save(IMAGES / "steps.png", optimize=True)
    Image.fromarray(photographs(model)).save(IMAGES / "photographs.webp", quality=85, method=6)
    for name in ("steps.webp", "steps.png", "photographs.webp"):
        print(f"{name}: {(IMAGES / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
