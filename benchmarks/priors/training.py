"""Training of the priors and of the judge: a minute or less each on one core, seeded."""

from collections.abc import Callable, Iterator
from time import process_time

import torch
from torch import nn
from torch.nn import functional

from .networks import CODE, FEATURES, denoiser, judge, picture_maker, variational_encoder

__all__ = ["trained_decoder", "trained_denoiser", "trained_generator", "trained_judge"]

BATCH = 128
RATE = 3e-3
"""Of Adam at its highest."""
WHITE, SMOOTH = 0.6, 0.6
"""The largest deviations of the noise that the denoiser takes away."""
FEATURE_WEIGHT = 0.02
"""Of the squared distance in the classifier's features beside that in pixels."""

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Pictures (N, 1, 28, 28) in [0, 1] and what is known of each, (N, ...), to one number."""


def trained_judge(images: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    """The judge after three passes."""
    torch.manual_seed(11)
    net = judge()
    _fit("judge", [net], lambda x, y: functional.cross_entropy(net(x), y), images, labels, passes=3)
    return net.eval()


def trained_generator(images: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    """The decoder of a variational autoencoder (Kingma and Welling 2014): codes are standard normal."""
    torch.manual_seed(12)
    encoder, decoder = variational_encoder(), picture_maker(CODE)

    def loss(x: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        mean, log_variance = encoder(x).chunk(2, dim=1)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        likelihood = functional.binary_cross_entropy(decoder(code), x, reduction="sum")
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum()
        return (likelihood + divergence) / len(x)

    _fit("generator", [encoder, decoder], loss, images, labels, passes=8)
    return decoder.eval()


def trained_decoder(classifier: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    """Pictures of the classifier's `relu4` (Dosovitskiy and Brox 2016): near in pixels and in that layer.

    The paper's third term, a discriminator, is left out.
    """
    torch.manual_seed(13)
    encoder, net = features_of(classifier), picture_maker(FEATURES)
    for weights in encoder.parameters():
        weights.requires_grad_(False)
    codes = torch.cat([encoder(part.float() / 255) for part in images.split(1000)])

    def loss(x: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        made, some = net(code), slice(0, len(x) // 4)
        features = functional.mse_loss(encoder(made[some]), code[some])
        return 100 * (functional.mse_loss(made, x) + FEATURE_WEIGHT * features)

    _fit("decoder", [net], loss, images, codes, passes=6)
    return net.eval()


def features_of(classifier: nn.Module) -> nn.Sequential:
    """The classifier up to its `relu4`."""
    layers = list(classifier.named_children())
    names = [name for name, _ in layers]
    return nn.Sequential(*(layer for _, layer in layers[: names.index("relu4") + 1]))


def trained_denoiser(images: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    """A denoising autoencoder (Vincent et al. 2008) for normal noise of many strengths.

    Besides white noise there is smooth noise, for grey pictures, which an ascent starts from, are not white noise away
    from any digit. Where the noise has covariance S, denoise(x) - x is S times the gradient of the log density of
    noisy pictures (Alain and Bengio 2014).
    """
    torch.manual_seed(14)
    net = denoiser()

    def loss(x: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return 100 * functional.mse_loss(net(noisy(x)), x)

    _fit("denoiser", [net], loss, images, labels, passes=6)
    return net.eval()


def noisy(x: torch.Tensor) -> torch.Tensor:
    """Pictures under white and under smooth noise, the deviations of both drawn for each picture."""
    white, smooth = (most * torch.rand(len(x), 1, 1, 1) for most in (WHITE, SMOOTH))
    coarse = functional.interpolate(torch.randn(len(x), 1, 4, 4), x.shape[2:], mode="bilinear")
    return x + white * torch.randn_like(x) + smooth * (coarse + torch.randn(len(x), 1, 1, 1))


def _fit(
    name: str, nets: list[nn.Module], loss: Loss, images: torch.Tensor, known: torch.Tensor, *, passes: int
) -> None:
    """Adam under a rate that rises and falls; prints the mean loss of the last 100 steps and the seconds."""
    began, weights = process_time(), [each for net in nets for each in net.parameters()]
    optimiser = torch.optim.Adam(weights, RATE)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=passes * -(-len(images) // BATCH))
    losses = []
    for part in _parts(len(images), passes):
        value = loss(images[part].float() / 255, known[part])
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]  # torch's own
        optimiser.step()
        rate.step()
        losses.append(value.item())
    last = losses[-100:]
    print(f"{name}: loss {sum(last) / len(last):.4g}; {process_time() - began:.0f} s of processor time", flush=True)


def _parts(count: int, passes: int) -> Iterator[torch.Tensor]:
    for _ in range(passes):
        yield from torch.randperm(count).split(BATCH)
