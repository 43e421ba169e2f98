"""Occlusion at a layer of tokens: windows of patches, the class token left alone."""

import crosslens
import numpy as np
import pytest
import torch
from torch import nn

X = np.random.default_rng(0).random((2, 3, 16, 16), dtype=np.float32)


class Tokens(nn.Module):
    """Patches of 4 x 4 pixels and a class token, which reads them once."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.norm, self.head = nn.Conv2d(3, 8, 4, stride=4), nn.LayerNorm(8), nn.Linear(8, 5)
        self.spare = nn.Parameter(torch.randn(1, 1, 8))
        self.query, self.key = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = self.norm(torch.cat([self.spare.expand(len(x), -1, -1), tokens], dim=1))
        reads = torch.softmax(self.query(tokens[:, :1]) @ self.key(tokens).transpose(1, 2), dim=-1)
        return self.head((reads @ tokens)[:, 0])


def model():
    return crosslens.wrap(Tokens().eval(), preprocess=None, input_shape=X.shape[1:])


@pytest.mark.parametrize("fill", [0.5, "mean"])
def test_windows_of_patches_are_covered_and_the_class_token_stays(fill):
    net = model()
    tokens = net.forward(X, ["norm"])["norm"]
    whole = net.forward(X)[crosslens.OUTPUT][:, 3]
    expected = np.zeros((2, 4, 4))
    for n, top, left in np.ndindex(2, 2, 2):
        covered = tokens[n : n + 1].copy()
        for row, column in np.ndindex(2, 2):
            place = 1 + (2 * top + row) * 4 + 2 * left + column
            covered[0, place] = tokens[n, 1:].mean(axis=0) if fill == "mean" else fill
        drop = whole[n] - net.forward(X[n : n + 1], replace={"norm": covered})[crosslens.OUTPUT][0, 3]
        expected[n, 2 * top : 2 * top + 2, 2 * left : 2 * left + 2] = drop
    found = crosslens.method("occlusion", layer="norm", window=2, stride=2, fill=fill)(net, X, target=3)
    np.testing.assert_allclose(found.values, expected, rtol=1e-4, atol=1e-6)
    assert found.values.shape == (2, 4, 4)
