"""What numbers of attacks do not say: the paragraph that stands under each of them."""

__all__ = ["CAVEATS"]

CAVEATS = (
    "An attack that fails proves nothing. It shows that this attack, with these settings, found no picture; another "
    "attack, more steps or restarts, or another loss may find one. Networks whose gradients are zero, noisy or rounded "
    "(saturated outputs, quantised weights, defences that mask gradients) look robust to attacks that follow gradients "
    "and are not: compare with an attack that needs none, square or boundary.",
    "The numbers are for these pictures, this norm and this radius, and for pictures as numbers, not as files of 8 "
    "bits or prints. They are upper bounds of what a network withstands, made to evaluate it; they are no claim that "
    "it is secure.",
)
