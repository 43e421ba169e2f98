"""What a network takes, and whether it stores channels last: from its own input shape and what the user says."""

from crosslens.errors import ModelError
from crosslens.model import InputSpec

__all__ = ["input_spec"]


def input_spec(
    shape: tuple[int | None, ...] | None,
    asked: InputSpec | None,
    last: bool,
    bounds: tuple[float, float] | None = None,
) -> tuple[InputSpec, bool]:
    """What a network takes, channels first, and whether it stores channels last.

    Args:
        shape: the model's own input shape, batch first; None where it does not know.
        asked: the input that the user gives.
        last: whether channels are last where nothing else shows it.
        bounds: the least and the largest value of an image.

    Raises:
        ModelError: neither the model nor the user says the shape, or they disagree.
    """
    if shape is None:
        if asked is None:
            raise ModelError(
                "this model does not know the shape of its images yet; give it: wrap(model, input_shape=(3, 224, 224))"
            )
        return asked, last
    has_places = len(shape) in {4, 5}
    if has_places:
        last = _stores_channels_last(shape, asked, last)
    own = (shape[-1], *shape[1:-1]) if last and has_places else shape[1:]
    if asked is None:
        return (InputSpec(own) if has_places else InputSpec.latent(own)).within(bounds), last  # type: ignore[arg-type]
    if not _fits(asked, own):
        raise ModelError(f"input_shape is {asked.shape}, but the model takes {own} (channels first, None = any)")
    return asked, last


def _stores_channels_last(shape: tuple[int | None, ...], asked: InputSpec | None, default: bool) -> bool:
    """By the one layout that fits what the user said, else by the end that looks like a picture's channels.

    Keras' own setting decides where both or none does.
    """
    first, last = shape[1:], (shape[-1], *shape[1:-1])
    if asked is not None and _fits(asked, first) != _fits(asked, last):
        return _fits(asked, last)
    front, back = first[0] in {1, 3, 4}, last[0] in {1, 3, 4}
    return default if front == back else back


def _fits(asked: InputSpec, own: tuple[int | None, ...]) -> bool:
    same = len(asked.shape) == len(own)
    return same and not any(a and b and a != b for a, b in zip(asked.shape, own, strict=True))
