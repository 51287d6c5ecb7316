"""A picture on which keypoints are clicked and dragged: the browser draws, Python decides.

The browser draws a dragged keypoint at once. What a click or a key means is decided in Python,
where the keypoints are; the browser gets them back with the number of the last action.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from jaxtyping import Float, Integer, UInt8

from hmr_edu.keypoints import COCOPLUS, COCOPLUS_EDGES
from hmr_edu.viz.explore.keypoint_state import KeypointState
from hmr_edu.viz.palette import PREDICTION
from hmr_edu.viz.pictures import resize, side_colour
from hmr_edu.viz.report.html import encode_image

LARGEST = 1400  # pixels of the longer side that the browser gets
WIDTH, HEIGHT = 480, 460  # of the place for the picture on the page, CSS pixels


class KeypointPicture(anywidget.AnyWidget):
    """The picture, its keypoints, a menu of their names, and the body's outline.

    `act` is called with each action of the browser, a dict: `do` is its name.
    """

    _esm = Path(__file__).with_suffix(".js")
    # What never changes.
    picture = traitlets.Unicode().tag(sync=True)
    setting = traitlets.Dict().tag(sync=True)
    faces = traitlets.Bytes().tag(sync=True)
    # What changes: the keypoints, and the body in pixels, empty where there is none.
    view = traitlets.Dict().tag(sync=True)
    outline = traitlets.Bytes().tag(sync=True)
    guess = traitlets.List().tag(sync=True)

    def __init__(
        self,
        photo: UInt8[np.ndarray, "height width 3"],
        faces: Integer[np.ndarray, "F 3"],
        act: Callable[[dict[str, Any]], None],
        state: KeypointState,
    ) -> None:
        height, width = photo.shape[:2]
        small = resize(photo, max(1, round(width * min(1, LARGEST / max(width, height)))))
        self._act, self._state, self._answered = act, state, None
        super().__init__(
            picture=encode_image(small),
            faces=faces.astype(np.uint32).tobytes(),
            view=self._keypoints(),
            setting={
                "width": width,
                "height": height,
                "scale": min(WIDTH / width, HEIGHT / height),
                "names": [name.replace("_", " ") for name in COCOPLUS],
                "colours": [side_colour(name) for name in COCOPLUS],
                "edges": [[a, b, side_colour(COCOPLUS[a], COCOPLUS[b])] for a, b in COCOPLUS_EDGES],
                "body": PREDICTION,
            },
        )
        self.on_msg(self._hear)

    def show_keypoints(self) -> None:
        """Send the keypoints to the browser, and which of its actions was the last."""
        self.view = self._keypoints()

    def show_body(
        self, pixels: Float[np.ndarray, "V 2"] | None, guess: Float[np.ndarray, "19 2"] | None
    ) -> None:
        """Send the body's vertices and keypoints, in pixels of the picture; None removes it."""
        with self.hold_sync():
            self.outline = b"" if pixels is None else pixels.astype(np.float32).tobytes()
            self.guess = [] if guess is None else guess.round(1).tolist()

    def _keypoints(self) -> dict[str, Any]:
        return {
            "places": [list(place) if place else None for place in self._state.snapshot.places],
            "confidence": list(self._state.snapshot.confidence),
            "chosen": self._state.chosen,
            "next": self._state.next,
            "answered": self._answered,
        }

    def _hear(self, _: Any, content: Any, __: Any) -> None:
        action = content if isinstance(content, dict) else {}
        self._answered = action.get("number")
        self._act(action)
