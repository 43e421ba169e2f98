"""A network set by hand whose units are known: colours, textures and shapes of the pictures of `crosslens shapes`.

`relu_colours` has a unit for each colour, and idle ones that answer to brightness alone. Behind it, what all colours
have in common goes through Gabor filters with the textures' period; `relu_textures` compares their energies: stripes
have one orientation, dots both axes, checks both diagonals, plain pixels are coloured and have none. Where pixels are
coloured, `templates` of each shape in a few sizes and angles are matched (the inside less the surroundings), and
`relu_shapes` puts a shape back where its template fits better than others.
"""

from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import torch
from crosslens.data.shapes import NAMES
from crosslens.data.shapes.drawing import COLOURS, inside_shape, texture_period
from torch import nn

Numbers = np.ndarray[Any, Any]

__all__ = ["IDLE", "PLANTED", "Planted"]

COLOUR_UNITS = {
    "red": ((1, -1, -1), -0.15), "green": ((-1, 1, -1), 0.0), "blue": ((-1, -1, 1), 0.0),
    "yellow": ((0.5, 0.5, -1), -0.12), "magenta": ((0.5, -1, 0.5), -0.12),
}  # fmt: skip
"""The kernel of each colour's unit, for red, green and blue in [0, 1], and its bias."""
IDLE = 3
"""Units of `relu_colours` that answer to brightness alone."""
PLANTED = {
    "relu_colours": {name: unit for unit, name in enumerate(COLOUR_UNITS)},
    "relu_textures": {name: unit for unit, name in enumerate(NAMES["texture"])},
    "relu_shapes": {name: unit for unit, name in enumerate(NAMES["shape"])},
}
"""By layer the unit of each concept."""
SIZE = 64
DARK, BRIGHT = 0.25, 0.8
"""Of a colour's own brightness: at most that of a texture's dark pixels, at least that of its bright ones."""
ORIENTATIONS, PHASES = 8, 4
FILTER, WINDOW = 6, 3.2
"""Of a Gabor filter: the radius, and the standard deviation of its window, in pixels."""
SMOOTH, SPREAD = 4, 2.5
"""Of the average of energies: the radius, and the standard deviation."""
POOLED = 4
TEMPLATE = 6
"""The radius of a template, in pooled pixels."""
RADII, ANGLES = (14.0, 16.0, 18.0, 20.5), (-0.25, 0.0, 0.25)
CORNERS = 1
"""How much more a template's outer pixels weigh: the power of the squared distance from its centre."""
FIT = 0.5
"""Of a template, from which a shape is there."""
OTHERS = 0.6
"""What the templates of other shapes take away, as a share of what its own give."""


class Planted(nn.Module):
    """(N, 3, 64, 64) in [0, 1] to the mean of each shape's unit (N, 5)."""

    def __init__(self) -> None:
        super().__init__()
        textures, energies = len(NAMES["texture"]) + 1, ORIENTATIONS + 1
        self.colours, self.relu_colours = nn.Conv2d(3, len(COLOUR_UNITS) + IDLE, 1), nn.ReLU()
        self.coloured, self.relu_coloured = nn.Conv2d(len(COLOUR_UNITS) + IDLE, 2, 1), nn.ReLU()
        self.gabors = nn.Conv2d(2, ORIENTATIONS * PHASES + 1, 2 * FILTER + 1, padding=FILTER)
        self.relu_gabors = nn.ReLU()
        self.energies = nn.Conv2d(ORIENTATIONS * PHASES + 1, energies, 1)
        self.smooth = nn.Conv2d(energies, energies, 2 * SMOOTH + 1, padding=SMOOTH)
        self.contrasts, self.relu_contrasts = nn.Conv2d(energies, ORIENTATIONS + 6, 1), nn.ReLU()
        self.textures, self.relu_textures = nn.Conv2d(ORIENTATIONS + 6, textures, 1), nn.ReLU()
        self.pool = nn.AvgPool2d(POOLED)
        shapes = _templates()
        side, count = 2 * TEMPLATE + 1, len(shapes)
        self.templates, self.relu_templates = nn.Conv2d(textures, count, side, padding=TEMPLATE), nn.ReLU()
        self.shapes, self.relu_shapes = nn.Conv2d(count, len(NAMES["shape"]), side, padding=TEMPLATE), nn.ReLU()
        self.mean, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        with torch.no_grad():
            for each in self.parameters():
                each.zero_()
            self._plant_colours()
            self._plant_textures()
            self._plant_shapes(shapes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The mean of each unit of `relu_shapes`."""
        for each in self.children():
            x = each(x)
        return x

    def _plant_colours(self) -> None:
        """The colours; and `coloured`, whose two units differ by 1 where any is bright and by 0 where it is dark."""
        kernels = np.array([*(kernel for kernel, _ in COLOUR_UNITS.values()), *[(1 / 3, 1 / 3, 1 / 3)] * IDLE])
        biases = np.array([*(bias for _, bias in COLOUR_UNITS.values()), *[0.0] * IDLE])
        _set(self.colours, kernels[:, :, None, None], biases)
        coloured = np.array([COLOURS[name] for name in COLOUR_UNITS]) / 255
        answers = np.maximum(coloured @ kernels.T + biases, 0)[:, : len(COLOUR_UNITS)]
        weights = np.linalg.solve(answers, np.ones(len(COLOUR_UNITS)))
        weights = np.concatenate([weights, np.zeros(IDLE)]) / (BRIGHT - DARK)
        _set(self.coloured, np.stack([weights] * 2)[:, :, None, None], -np.array([DARK, BRIGHT]) / (BRIGHT - DARK))

    def _plant_textures(self) -> None:
        half, solid = ORIENTATIONS // 2, ORIENTATIONS
        y, x = np.indices((2 * FILTER + 1,) * 2) - FILTER
        gabors = np.zeros((ORIENTATIONS * PHASES + 1, *x.shape))
        for n, (k, phase) in enumerate(product(range(ORIENTATIONS), range(PHASES))):
            gabors[n] = _gabor(x, y, np.pi * k / ORIENTATIONS, 2 * np.pi * phase / PHASES)
            self.energies.weight[k, n] = 1
        gabors[-1, FILTER, FILTER] = self.energies.weight[-1, -1, 0, 0] = 1
        _set(self.gabors, np.stack([gabors, -gabors], axis=1))
        y, x = np.indices((2 * SMOOTH + 1,) * 2) - SMOOTH
        bell = np.exp(-(x**2 + y**2) / (2 * SPREAD**2))
        _set(self.smooth, np.eye(solid + 1)[:, :, None, None] * bell / bell.sum())
        contrasts, textures = np.zeros((ORIENTATIONS + 6, solid + 1)), np.zeros((5, ORIENTATIONS + 6))
        for k in range(ORIENTATIONS):
            contrasts[k, k], contrasts[k, (k + half) % ORIENTATIONS] = 1, -1
        axis, diagonal, energy, plain, low, high = range(ORIENTATIONS, ORIENTATIONS + 6)
        contrasts[axis, 0] = contrasts[diagonal, half // 2] = contrasts[plain, solid] = 1
        contrasts[energy, :solid] = 1 / ORIENTATIONS
        contrasts[[low, high], solid] = 4.5
        biases = np.zeros(ORIENTATIONS + 6)
        biases[[low, high]] = -0.4, -1.4
        _set(self.contrasts, contrasts[:, :, None, None], biases)
        textures[0, [plain, energy]] = 1, -3
        textures[1, :ORIENTATIONS] = 1
        textures[2, [axis, 0, diagonal, half // 2]] = 1, -1, -1, 1  # min(a, b) = a - relu(a - b) of both axes, ...
        textures[3] = -textures[2]
        textures[4, [low, high]] = 1, -1  # 1 where pixels are coloured, whatever their texture
        _set(self.textures, textures[:, :, None, None])

    def _plant_shapes(self, shapes: list[tuple[str, Numbers, Numbers]]) -> None:
        held = Counter(name for name, _, _ in shapes)
        for n, (name, template, inside) in enumerate(shapes):
            self.templates.weight[n, -1] = torch.from_numpy(template)
            back = torch.from_numpy(inside[::-1, ::-1] / held[name])
            for unit, each in enumerate(NAMES["shape"]):
                self.shapes.weight[unit, n] = back if each == name else -OTHERS * back
        assert self.templates.bias is not None
        self.templates.bias[:] = -FIT


def _set(layer: nn.Conv2d, kernel: Numbers, bias: Numbers | None = None) -> None:
    layer.weight[:] = torch.from_numpy(kernel)
    if bias is not None and layer.bias is not None:
        layer.bias[:] = torch.from_numpy(bias)


def _gabor(x: Numbers, y: Numbers, angle: float, phase: float) -> Numbers:
    window = np.exp(-(x**2 + y**2) / (2 * WINDOW**2))
    wave = window * np.cos(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / texture_period(SIZE) + phase)
    wave -= window * wave.sum() / window.sum()
    return np.asarray(2 * wave / np.abs(wave).sum())


def _templates() -> list[tuple[str, Numbers, Numbers]]:
    """Of each shape in each size and angle its name, the inside less the surroundings, and the inside, pooled."""
    side = 2 * TEMPLATE + 1
    places = (np.arange(2 * POOLED * side) + 0.5) / 2 - POOLED * side / 2
    found = []
    for name, radius, angle in product(NAMES["shape"], RADII, ANGLES):
        if name in {"disc", "ring"} and angle:
            continue
        x, y = np.meshgrid(places / radius, places / radius)
        turned = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        inside = inside_shape(name, *turned).astype(np.float64)
        around = (x**2 + y**2 <= 1.25**2) * (1 - inside)
        parts = inside, inside * (x**2 + y**2) ** CORNERS, around
        whole, inside, around = (each.reshape(side, 2 * POOLED, side, -1).mean(axis=(1, 3)) for each in parts)
        found.append((name, inside / inside.sum() - around / around.sum(), whole))
    return found
