"""HMR: an image or keypoints in, one body out for every regression step.

Kanazawa et al., "End-to-end Recovery of Human Shape and Pose", CVPR 2018, figure 2: image ->
encoder -> features -> regressor, T times -> theta -> SMPL -> projected keypoints.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor, nn

from hmr_edu.body import SMPL, load_body, same_shapes
from hmr_edu.camera import weak_perspective
from hmr_edu.crop import camera_out_of_box
from hmr_edu.encoder.build import build_encoder
from hmr_edu.encoder.heads import Features
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write
from hmr_edu.io.precision import at_least_float32
from hmr_edu.io.quantisation import pack
from hmr_edu.io.weights import OPTIONS, check_state, read_weights
from hmr_edu.regressor import RegressionStep, ThetaRegressor

WEIGHTS = Path(__file__).parent / "assets" / "weights"
# The weights in the folder of a run.
TRAINED = "model.safetensors"


class Prediction(NamedTuple):
    """The body of one regression step: theta and everything computed from it. Metres, camera frame.

    `keypoints2d` are in crop coordinates [-1, 1]; `vertices` is None when no meshes were asked for.
    """

    theta: Float[Tensor, "batch 85"]
    vertices: Float[Tensor, "batch V 3"] | None
    keypoints2d: Float[Tensor, "batch 19 2"]
    keypoints3d: Float[Tensor, "batch 19 3"]
    rotations: Float[Tensor, "batch 24 3 3"]

    def map(self, function: Callable[[Tensor], Tensor]) -> Prediction:
        """Apply a function to each tensor."""
        theta, vertices, *others = self
        meshes = None if vertices is None else function(vertices)
        return Prediction(function(theta), meshes, *map(function, others))

    @property
    def camera(self) -> Float[Tensor, "batch 3"]:
        """Scale and translation (s, tx, ty) of the crop."""
        return self.theta[:, :3]

    @property
    def betas(self) -> Float[Tensor, "batch 10"]:
        """Shape coefficients."""
        return self.theta[:, 75:]


def predict_bodies(
    steps: list[RegressionStep], body: SMPL, vertices: bool = True
) -> list[Prediction]:
    """Return the bodies of regression steps, with their projected keypoints.

    Args:
        steps: the output of the regressor.
        body: the body model.
        vertices: whether to compute the meshes; keypoints alone are cheaper.
    """
    # All the steps' bodies in one batch: the layer is cheaper that way.
    all_steps = RegressionStep.join(steps)
    output = body(all_steps.betas, all_steps.rotations, vertices)
    keypoints2d = weak_perspective(output.keypoints, all_steps.camera)
    n = len(steps[0].betas)
    meshes = [None] * len(steps) if output.vertices is None else output.vertices.split(n)
    return [
        Prediction(*parts)
        for parts in zip(
            all_steps.theta.split(n),
            meshes,
            keypoints2d.split(n),
            output.keypoints.split(n),
            output.rotations.split(n),
            strict=True,
        )
    ]


@at_least_float32
def body_of_theta(
    theta: Float[Tensor, "batch 85"], body: SMPL, vertices: bool = True
) -> Prediction:
    """Return the body of a theta; `vertices=False` leaves the meshes out."""
    return predict_bodies([RegressionStep.from_theta(theta)], body, vertices)[0]


class HMR(nn.Module):
    """The whole network: encoder, iterative regressor, body and camera.

    The body has no trained weights. It is stored by name and loaded by name. In half precision
    (`half()`, `bfloat16()`, autocast) the encoder and the regressor's layers compute in it; theta
    and all that follows from it are float32 at least.
    """

    def __init__(
        self,
        encoder: str = "resnet50",
        body: str = "lite",
        *,
        image_size: int = 224,
        width: int = 64,
        stem: str = "imagenet",
        pooling: str = "average",
        iterations: int = 3,
        share_weights: bool = True,
        representation: str = "axis_angle",
        hidden: int = 1024,
        dropout: float = 0.5,
        learn_mean: bool = False,
        activation: str = "relu",
        confidence: bool = False,
        mean_theta: Float[Tensor, "85"] | None = None,
    ) -> None:
        """Build a network; the defaults are the paper's.

        Raises ValueError on an unknown name, FileNotFoundError or DataError on a body file that
        is missing or cannot be used.

        Args:
            encoder: "resnet18", "resnet50" or "efficientnet_lite0", which read pictures, or
                "keypoints", which reads 2D keypoints with confidences.
            body: "lite", "full", or the path of a body file.
            image_size: pixels along each side of a picture.
            width: channels of the backbone's first stage; 64 is torchvision's. The features of
                keypoints are 8 times as many.
            stem: the backbone's first layers: "imagenet" (stride 4), or "small" for small
                pictures, which keeps more of the resolution.
            pooling: "average" is the paper's head. "spatial" reads keypoint heat-maps, depths
                and body parts, and learns without ImageNet weights.
            iterations: regression steps.
            share_weights: one regressor for all steps, as in the paper, or one for each.
            representation: what the regressor adds up: "axis_angle" (72 numbers of pose) or "6d"
                (144). Theta out is always the 85 numbers.
            hidden: units in each of the regressor's two hidden layers.
            dropout: share of the hidden units that training leaves out.
            learn_mean: train the theta that the steps begin from, instead of keeping it.
            activation: what follows the regressor's hidden layers: "relu", or "none" as in SPIN.
            confidence: predict whether each keypoint is visible; needs the pooling "spatial".
            mean_theta: the theta that the steps begin from; `hmr_edu.theta.mean_theta` if None.
        """
        super().__init__()
        # Everything needed to build the same network again; saved with the weights.
        self.options = {
            "encoder": encoder,
            "body": str(body),
            "image_size": image_size,
            "width": width,
            "stem": stem,
            "pooling": pooling,
            "iterations": iterations,
            "share_weights": share_weights,
            "representation": representation,
            "hidden": hidden,
            "dropout": dropout,
            "learn_mean": learn_mean,
            "activation": activation,
        }
        if confidence:  # files of other networks do without it, as before it was there
            self.options["confidence"] = True
        self.image_size = image_size
        self.encoder = build_encoder(
            encoder,
            width=width,
            stem=stem,
            pooling=pooling,
            image_size=image_size,
            confidence=confidence,
        )
        self.regressor = ThetaRegressor(
            self.encoder.feature_dim,
            iterations,
            share_weights=share_weights,
            representation=representation,
            hidden=hidden,
            dropout=dropout,
            learn_mean=learn_mean,
            activation=activation,
            mean_theta=mean_theta,
        )
        self.body = load_body(body)
        # False beside a body whose betas the network has not learnt: `load_pretrained(body=...)`.
        self.shape_known = True

    def forward(
        self,
        *inputs: Tensor,
        vertices: bool = True,
        return_features: bool = False,
    ) -> list[Prediction] | tuple[list[Prediction], Features]:
        """Predict the bodies of every regression step, first to last; the last is the answer.

        Args:
            *inputs: what the encoder reads: images [B, 3, S, S], RGB in [0, 1], or keypoints
                [B, 19, 2] in any unit of the picture and confidences [B, 19]. Camera and
                keypoints of the predictions then have that unit.
            vertices: False leaves the meshes out and computes only what the keypoints need.
            return_features: also return the encoder's output, for auxiliary losses.
        """
        features = self.encoder(*inputs)
        steps = self.regressor.iterate(features.vector)
        if features.box is not None:
            steps = [
                replace(step, camera=camera_out_of_box(step.camera, features.box)) for step in steps
            ]
        if not self.shape_known:
            steps = [replace(step, betas=torch.zeros_like(step.betas)) for step in steps]
        predictions = predict_bodies(steps, self.body, vertices)
        return (predictions, features) if return_features else predictions

    def detail(self, theta: Float[Tensor, "batch 85"]) -> Prediction:
        """Return the body of a theta, for the body model of this network."""
        return body_of_theta(theta, self.body)

    def save(self, path: str | Path, precision: str = "float32") -> None:
        """Write weights and options to one safetensors file; `io.quantisation` lists precisions.

        Raises DataError beside a body whose betas the network has not learnt.
        """
        if not self.shape_known:
            raise DataError(f"{path}: these weights do not know the betas of their body; train it")
        parameters = {name for name, _ in self.named_parameters()}
        tensors = pack(self.state_dict(), parameters, precision)
        with atomic_write(path) as temporary:
            save_file(tensors, temporary, metadata={OPTIONS: json.dumps(self.options)})


def load_pretrained(name_or_path: str | Path = "resnet18", body: str | Path | None = None) -> HMR:
    """Load shipped weights by name, or a file written by `HMR.save`; the network is in eval mode.

    `body` takes the place of the body that the weights were trained with. If its betas mean another
    shape, a warning says so, and everybody gets its mean shape: pose and camera are the network's.

    Raises FileNotFoundError that lists the shipped weights, DataError on a damaged or foreign file.
    """
    path = weights_path(name_or_path)
    options, tensors = read_network(path)
    trained = str(options.get("body", "lite"))
    known = body is None or same_shapes(trained, body)
    if body is not None:
        options["body"] = str(body)
    try:
        model = HMR(**options)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: {error}") from None
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{path}: options that this version does not know ({error})") from None
    wrong = f"{path}: the weights do not fit its own options: "
    check_state(tensors, model.state_dict(), wrong, same_type=False)
    model.load_state_dict(tensors)
    if not known:
        model.shape_known = False
        warnings.warn(
            f"{name_or_path} was trained with the body {trained}: in {body} betas mean another "
            "shape, so everybody gets its mean shape",
            stacklevel=2,
        )
    return model.eval()


def weights_path(name_or_path: str | Path) -> Path:
    """Return the file of weights that are shipped by name, the path itself, or a run's weights."""
    path = Path(name_or_path)
    there = os.path.lexists(path) and not path.is_dir()
    named = path.suffix == ".safetensors" or (path.suffix and there)
    shipped, of_run = WEIGHTS / f"{name_or_path}.safetensors", path / TRAINED
    if named:
        return path
    return of_run if of_run.is_file() and not shipped.is_file() else shipped


def read_network(path: Path) -> tuple[dict, dict[str, Tensor]]:
    """Return options and tensors; where there are none, say which weights are shipped."""
    try:
        return read_weights(path)
    except FileNotFoundError as error:
        shipped = ", ".join(sorted(p.stem for p in WEIGHTS.glob("*.safetensors"))) or "none"
        raise FileNotFoundError(f"{error}; shipped: {shipped}") from None
