"""Claims about weak mesh supervision: what masks, part maps and dense points add to keypoints."""

from __future__ import annotations

from hmr_edu.experiments.design import Experiment, Forecast

# 2D keypoints and the adversary, as for photographs without 3D labels.
NO_3D = {"loss.keypoints3d": 0.0, "loss.pose": 0.0, "loss.betas": 0.0}
PVE, BETAS, REAL = "pve", "betas", "distance_to_real_pose"

EXPERIMENTS = (
    Experiment(
        "weak-mesh",
        "Silhouettes, part maps and dense correspondences supervise the mesh weakly.",
        "a common description of HMR, which names it; the paper leaves it out",
        "keypoints",
        {
            "2D keypoints": {},
            "and silhouettes": {"loss.silhouette": 3.0},
            "and part silhouettes": {"loss.part_silhouettes": 3.0},
            "and dense points": {"loss.dense": 10.0},
            "and meshes": {"loss.mesh": 10.0},
        },
        (
            Forecast("Silhouettes lower the vertex error", "and silhouettes", "2D keypoints", PVE),
            Forecast("Silhouettes teach the shape", "and silhouettes", "2D keypoints", BETAS),
            Forecast("Silhouettes keep poses human", "and silhouettes", "2D keypoints", REAL),
            Forecast(
                "Parts say more than silhouettes", "and part silhouettes", "and silhouettes", PVE
            ),
            Forecast(
                "Dense points lower the vertex error", "and dense points", "2D keypoints", PVE
            ),
            Forecast(
                "Dense points lower the joint error", "and dense points", "2D keypoints", "pa_mpjpe"
            ),
            Forecast("Dense points replace the mesh", "and dense points", "and meshes", PVE, "<="),
        ),
        (PVE, "pa_mpjpe", BETAS, "beyond_limits", REAL, "error2d", "facing_wrong"),
        NO_3D,
    ),
)
