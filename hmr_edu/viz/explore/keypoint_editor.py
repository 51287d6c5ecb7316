"""Click keypoints on a photograph, and see the body that a network makes of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.camera import CropBox, weak_perspective
from hmr_edu.data.photos.coco_writer import write_person
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.hmr import HMR, Prediction, load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.io.pixels import rgb_bytes
from hmr_edu.keypoints import COCOPLUS, HIPS
from hmr_edu.viz.explore.explorer import Explorer, button, set_points
from hmr_edu.viz.explore.keypoint_picture import WIDTH, KeypointPicture
from hmr_edu.viz.explore.keypoint_state import KeypointState
from hmr_edu.viz.explore.view_state import neutral_pose, to_scene
from hmr_edu.viz.orbit import body_figure
from hmr_edu.viz.palette import BEFORE, PREDICTION
from hmr_edu.viz.pictures import AnyPicture, Picture, draw_keypoints, overlay, save_picture
from hmr_edu.viz.shading import mesh_of

LEAST = 4  # keypoints from which a body is made
# The body stands on a floor, its hips above the middle. Metres, camera frame: y is down.
ROOM = np.array([[-1.0, -1.9, -1.0], [1.0, 0.0, 1.0]])


class KeypointEditor(Explorer):
    """A photograph on which keypoints are placed, beside the body that follows them.

    `keypoints2d` and `confidence` are the keypoints, `prediction` is the body.

    Args:
        photo: the path of a picture, or its pixels.
        model: a network whose encoder is "keypoints"; the shipped one by default.
        keypoints: keypoints to begin with, in pixels: a detector's, a network's, or read from a
            file.
        confidence: theirs, in [0, 1]; 1 by default where a keypoint is finite.
        path: the JSON file that the button "Save" writes.

    Raises ValueError on another network and as `KeypointState`, DataError as `read_photo`.
    """

    def __init__(
        self,
        photo: str | Path | AnyPicture,
        model: HMR | None = None,
        keypoints: Float[Tensor, "19 2"] | None = None,
        confidence: Float[Tensor, " 19"] | None = None,
        path: str | Path = "keypoints.json",
    ) -> None:
        self.model = load_pretrained("keypoints") if model is None else model
        if self.model.options["encoder"] != "keypoints":
            raise ValueError("the network must read keypoints: HMR(encoder='keypoints')")
        self.photo_path = Path(photo) if isinstance(photo, str | Path) else None
        self.photo = read_photo(photo) if isinstance(photo, str | Path) else rgb_bytes(photo)
        self.path, self._said = Path(path), ""
        height, width = self.photo.shape[:2]
        self.keypoints = KeypointState(width, height, keypoints, confidence)
        self._grabbed = 0
        self._lifted: tuple[Any, Prediction | None] = (None, None)
        faces = self.model.body.faces.numpy()
        self.picture = KeypointPicture(self.photo, faces, self.act, self.keypoints)
        figure = body_figure(self._standing(None), faces, room=ROOM)
        super().__init__(
            figure,
            {"picture": self.picture, "buttons": self._buttons()},
            self._show_body,
            watch=[],
            title="Place the keypoints",
            width=400,
        )
        (row,) = self.children
        row.children = row.children[::-1]  # the picture is on the left
        row.children[0].layout.width = f"{WIDTH + 16}px"
        self._enable_buttons()

    @property
    def keypoints2d(self) -> Float[Tensor, "19 2"]:
        """Places in pixels, COCO+ order; NaN where there is none."""
        return self.keypoints.keypoints2d

    @property
    def confidence(self) -> Float[Tensor, " 19"]:
        """0 where a keypoint is missing, 1 where a person placed it."""
        return self.keypoints.confidence

    @property
    def prediction(self) -> Prediction | None:
        """The body of the keypoints as they are, a batch of one; None if there are too few.

        Its camera and its keypoints are in pixels of the picture.
        """
        now = self.keypoints.snapshot[:2]
        if self._lifted[0] != now:
            self._lifted = now, self._lift()
        return self._lifted[1]

    def act(self, action: Mapping[str, Any]) -> None:
        """Do what a click, a drag or a key asks for; what cannot be done is said in the read-out.

        `action["do"]` is one of place, drag, nudge, remove, choose, step, skip, undo, redo,
        clear, save.
        """
        keypoints, index, said = self.keypoints, action.get("index"), ""
        chosen = keypoints.chosen if index is None else index
        x, y, gesture = action.get("x", 0.0), action.get("y", 0.0), action.get("gesture")
        try:
            match action.get("do"):
                case "place":
                    self._grabbed = keypoints.place(x, y, gesture)
                case "drag":
                    dragged = self._grabbed if index is None else index
                    if dragged is not None:
                        keypoints.move(dragged, x, y, gesture)
                case "nudge":
                    keypoints.nudge(chosen, x, y)
                case "remove":
                    keypoints.remove(chosen)
                case "choose":
                    keypoints.choose(chosen)
                case "step":
                    keypoints.step(action.get("by", 1))
                case "skip" | "undo" | "redo" | "clear" as change:
                    getattr(keypoints, change)()
                case "save":
                    said = self._save()
                case other:
                    raise ValueError(f"no action {other!r:.60}")
        except (ValueError, TypeError, DataError, OSError) as error:
            said = f"{error}".splitlines()[0] if f"{error}" else type(error).__name__
        self._said = said
        self.picture.show_keypoints()
        self._enable_buttons()
        self.request()

    def save(self, path: str | Path | None = None) -> Path:
        """Write the keypoints as COCO's person keypoints, and return the file's path.

        `read_annotations` and `hmr-edu evaluate-photos` read the file. A picture that was given as
        pixels is written beside it. Raises as `write_person`.
        """
        path = self.path if path is None else Path(path)
        height, width = self.photo.shape[:2]
        photo = path.with_suffix(".png") if self.photo_path is None else self.photo_path
        file = Path(os.path.relpath(photo.resolve(), path.parent.resolve())).as_posix()
        write = self.photo_path is None
        if write and photo.exists():
            if not np.array_equal(read_photo(photo), self.photo):
                raise DataError(f"{photo} is another picture; save to another file")
            write = False
        write_person(path, file, (width, height), self.keypoints2d, self.confidence)
        if write:
            save_picture(photo, self.photo)
        return path

    def snapshot_picture(self) -> Picture:
        """Draw the photograph with the body and the keypoints: for where no widget can be shown."""
        drawn = self.photo
        if self.prediction is not None:
            # The camera is in pixels: the "crop" whose coordinates are pixels.
            crop = CropBox(0, 0, 2)
            vertices, faces = mesh_of(self.prediction)[0], self.model.body.faces
            drawn = overlay(drawn, vertices, faces, self.prediction.camera[0], 0.6, box=crop)
        size = torch.tensor([self.photo.shape[1], self.photo.shape[0]])
        crop_coordinates = (self.keypoints2d + 0.5) / size * 2 - 1
        return draw_keypoints(drawn, crop_coordinates, (self.confidence > 0).numpy())

    def _lift(self) -> Prediction | None:
        if self.keypoints.placed < LEAST:
            return None
        with torch.no_grad():
            steps = self.model(self.keypoints2d[None], self.confidence[None], vertices=False)
            return self.model.detail(steps[-1].theta)

    def _show_body(self, figure: Any) -> str:
        prediction = self.prediction
        set_points(figure.data[0], to_scene(self._standing(prediction)))
        colour = BEFORE if prediction is None else PREDICTION
        if figure.data[0].color != colour:
            figure.data[0].color = colour
        if prediction is None:
            self.picture.show_body(None, None)
        else:
            pixels = weak_perspective(mesh_of(prediction)[0], prediction.camera[0])
            self.picture.show_body(pixels.numpy(), prediction.keypoints2d[0].numpy())
        return self._tell(prediction)

    def _standing(self, prediction: Prediction | None) -> Float[Tensor, "V 3"]:
        """Return the body's vertices on the floor; without a body, the mean one's."""
        with torch.no_grad():
            if prediction is None:
                body = self.model.body(torch.zeros(1, 10), neutral_pose()[None])
                vertices, keypoints = mesh_of(body)[0], body.keypoints[0]
            else:
                vertices, keypoints = mesh_of(prediction)[0], prediction.keypoints3d[0]
            moved = vertices - keypoints[HIPS, :].mean(0)
            moved[:, 1] -= moved[:, 1].max()
        return moved

    def _tell(self, prediction: Prediction | None) -> str:
        state = self.keypoints
        parts = [f"{state.placed} of {len(COCOPLUS)} keypoints"]
        if state.next is not None:
            parts.append(f"next: {own_side(COCOPLUS[state.next])}")
        if prediction is None:
            parts.append(f"the body follows from {LEAST} on")
        else:
            known = self.confidence > 0
            off = (prediction.keypoints2d[0] - self.keypoints2d)[known].norm(dim=1).mean()
            parts.append(f"the body's are {float(off):.1f} pixels off")
        return "; ".join(parts) + "." + (f" {self._said}." if self._said else "")

    def _save(self) -> str:
        return f"Saved to {self.save()}"

    def _buttons(self) -> widgets.HBox:
        tooltips = {
            "Undo": "Take the last change back (u, Ctrl+Z)",
            "Redo": "Make it again (r, Ctrl+Y)",
            "Skip": "Leave the next keypoint out (s)",
            "Clear": "Remove all keypoints",
            "Save": f"Write {self.path}",
        }
        made = [
            button(name, lambda name=name: self.act({"do": name.lower()}), tooltip)
            for name, tooltip in tooltips.items()
        ]
        for widget in made:
            widget.layout.width = "5.5em"
        return widgets.HBox(made)

    def _enable_buttons(self) -> None:
        undo, redo, skip, clear, save = self.controls["buttons"].children
        undo.disabled, redo.disabled = not self.keypoints.can_undo, not self.keypoints.can_redo
        skip.disabled = self.keypoints.next is None
        clear.disabled = save.disabled = self.keypoints.placed == 0


def own_side(name: str) -> str:
    """Return a keypoint's name in words; whose left is meant is said, as pictures mirror it."""
    side = name.split("_")[0]
    words = name.replace("_", " ")
    return f"{words} (the person's own {side})" if side in ("left", "right") else words
