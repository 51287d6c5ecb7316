"""Damaged files of SMPL's and checkpoints of public code, and who reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from helpers.damages import ANY_FILE, json_damages, npz_damages, some, zeros_without_end
from helpers.hostile import Call, Case, command, files_of
from helpers.smpl_files import pickled
from scipy import sparse


def make_public_samples(folder: Path) -> None:
    """Write a body in three layouts, of the small free body, and a checkpoint's regressor."""
    import torch

    from hmr_edu.body import read_body

    free = read_body("lite")
    names = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights")
    arrays = {name: getattr(free, name) for name in names}
    arrays |= {"f": free.faces.astype(np.uint32)}
    arrays |= {"kintree_table": np.stack([free.parents, np.arange(24)])}
    np.savez(folder / "SMPL_FEMALE.npz", **arrays)
    content = arrays | {"J_regressor": sparse.csc_matrix(arrays["J_regressor"])}
    (folder / "SMPL_NEUTRAL.pkl").write_bytes(pickled(content))
    # Without correctives, whose text has 6 MB.
    content = {name: array.tolist() for name, array in arrays.items() if name != "posedirs"}
    (folder / "neutral_smpl.txt").write_text(
        json.dumps(content | {"posedirs": [[[0.0] * 207] * 3] * 2102})
    )
    sizes = {
        "fc1": (8, 2205),
        "fc2": (8, 8),
        "decpose": (144, 8),
        "decshape": (10, 8),
        "deccam": (3, 8),
    }
    state = {f"{name}.weight": torch.zeros(size) for name, size in sizes.items()}
    state |= {f"{name}.bias": torch.zeros(size[0]) for name, size in sizes.items()}
    torch.save({"model": state}, folder / "spin.pt")


def public_files(good: Path) -> Iterator[Case]:
    """Yield the cases."""

    def body(path: Path) -> Call:
        return command("body", "import", path, "-o", path.parent / "out.npz")

    for name in ("SMPL_NEUTRAL.pkl", "SMPL_FEMALE.npz", "neutral_smpl.txt"):
        yield from files_of("SMPL's body", good / name, ANY_FILE, body)
    yield from files_of("SMPL's body", good / "neutral_smpl.txt", json_damages("f"), body)
    source = good / "SMPL_FEMALE.npz"
    yield from files_of("SMPL's body", source, zeros_without_end("v_template"), body)
    for array in ("v_template", "kintree_table", "J_regressor"):
        damages = {f"{array}: {k}": v for k, v in some(npz_damages(array)).items()}
        yield from files_of("SMPL's body", source, damages, body)

    def checkpoint(path: Path) -> Call:
        return command(
            "weights", "import", path, "--body", "lite", "-o", path.parent / "o.safetensors"
        )

    yield from files_of("checkpoint", good / "spin.pt", ANY_FILE, checkpoint)
    damages = {name: damage for name, damage in ANY_FILE.items() if name != "a pickle"}
    for ending in ("pth", "safetensors"):
        for case in files_of("checkpoint", good / "spin.pt", damages, checkpoint):

            def prepare(folder: Path, case: Case = case, ending: str = ending) -> Call:
                case.prepare(folder)
                path = folder / "spin.pt"
                return checkpoint(path.rename(folder / f"spin.{ending}"))

            if "link to itself" not in case.name:
                yield Case("checkpoint", f"{case.name} as {ending}", prepare, f"spin.{ending}")
