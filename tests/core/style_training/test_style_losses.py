"""One measure for all ways of restyling: what `style_transfer` reports of its own pictures."""

import crosslens
import numpy as np
import pytest
from crosslens.errors import ImageError


@pytest.mark.parametrize("weights", [{"strength": 0.3}, {"style_weight": 2.0, "content_weight": 0.5}])
def test_the_losses_are_what_style_transfer_reports(loss_network, photographs, styles, weights):
    contents = np.ascontiguousarray(photographs[:2, :, :16, :16])
    method = crosslens.method("style_transfer", style=styles[0], steps=3, parameterisation="pixels", **weights)
    result = method(loss_network, contents)
    losses = crosslens.style_losses(loss_network, contents, contents, styles[0])
    np.testing.assert_allclose(losses.content, 0, atol=1e-6)
    np.testing.assert_allclose(losses.total(**weights), result.history[0], rtol=1e-4)
    losses = crosslens.style_losses(loss_network, result.images, contents, styles[0])
    np.testing.assert_allclose(losses.total(**weights), np.asarray(result.history).min(axis=0), rtol=1e-3)


def test_pictures_of_another_size_are_refused(loss_network, photographs, styles):
    with pytest.raises(ImageError, match="16"):
        crosslens.style_losses(loss_network, photographs[:1], photographs[:1, :, :16, :16], styles[0])
