"""The same body in smplx, the field's reference, for comparison."""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np
import torch

from hmr_edu.body.files import BodyData


def smplx_layer(
    body: BodyData, batch: int, dtype: torch.dtype = torch.float32
) -> torch.nn.Module | None:
    """Make smplx.SMPL from this body's arrays, for one batch size; None if it is not installed.

    smplx is not free for commercial use. So it is an optional extra, and nothing depends on it.
    """
    try:
        import smplx
    except ImportError:
        return None
    data = smplx.body_models.Struct(
        v_template=body.v_template,
        f=body.faces,
        shapedirs=body.shapedirs,
        posedirs=body.posedirs,
        J_regressor=body.J_regressor,
        weights=body.weights,
        kintree_table=np.stack([body.parents, np.arange(24)]),
    )
    # Its own vertex ids exceed the number of vertices of a smaller body.
    ids = dict.fromkeys(smplx.vertex_ids.vertex_ids["smplh"], 0)  # ty: ignore[possibly-missing-submodule]
    # It prints and warns about the shape coefficients of its own files, which are not used here.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return smplx.SMPL("", data_struct=data, vertex_ids=ids, batch_size=batch, dtype=dtype)
