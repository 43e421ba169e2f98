"""From attention between tokens to a map of patches; the residual connection as an identity matrix."""

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.model.layout import patch_grid


def with_identity(weights: Array) -> Array:
    """Square matrices (N, T, T) plus the identity, for the residual connection."""
    return weights + like(np.eye(weights.shape[1], dtype=np.float32), weights)[None, :, :]


def patch_map(flow: Array, size: tuple[int, int]) -> Array:
    """How much the class token takes from each patch, (N, h, w), of what each token takes from each, (N, T, T).

    The class token's row, the first, is read; the mean over all rows where there are patches only.
    """
    xp = namespace(flow)
    height, width = patch_grid(flow.shape[1], size)
    front = flow.shape[1] - height * width
    row = flow[:, 0, :] if front else xp.mean(flow, axis=1)
    return xp.reshape(row[:, front:], (flow.shape[0], height, width))
