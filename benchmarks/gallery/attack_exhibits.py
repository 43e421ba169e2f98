"""What hangs in the gallery of attacks: pictures that fool, each by one command, the same on every backend."""

from .data_exhibit import DataExhibit

__all__ = ["ATTACKS"]

ATTACKS = (
    DataExhibit(
        "attack_pgd",
        "A cat that is a toaster to the network: the picture, the change magnified, and the picture that fools",
        ("run pgd demo:lite0_{backend} {cat} --towards toaster --eps 0.012 -o {out}",),
        width=690,
        height=260,
        below=True,
    ),
    DataExhibit(
        "attack_deep_fool",
        "The least change that DeepFool finds: the cat becomes another kind of cat",
        ("run deep_fool demo:lite0_{backend} {cat} -o {out}",),
        width=690,
        height=260,
        below=True,
    ),
    DataExhibit(
        "attack_boundary",
        "A digit that needs no gradient to be fooled: the boundary attack knows nothing but the predicted class",
        ("run boundary {mnist}/digits.{file} {single_digits}/08_is_5.png --steps 4000 -o {out}",),
        ("mnist", "single_digits"),
    ),
    DataExhibit(
        "attack_one_pixel",
        "Three pixels of a digit",
        ("run one_pixel {mnist}/digits.{file} {single_digits}/08_is_5.png --pixels 3 -o {out}",),
        ("mnist", "single_digits"),
    ),
    DataExhibit(
        "robustness_curve",
        "How many of 625 digits are still right within each radius",
        (
            "run robustness_curve {mnist}/digits.{file} {few_digits}/digits.npz --attacks fgsm,pgd:steps=20"
            " --eps 0.02,0.04,0.06,0.08,0.1,0.15,0.2 -o {out}",
        ),
        ("mnist", "few_digits"),
    ),
    DataExhibit(
        "attack_universal",
        "One change that fools in most digits: the change, and digits that took no part in making it",
        ("run universal_perturbation {mnist}/digits.{file} {few_digits}/digits.npz --eps 0.15 -o {out}",),
        ("mnist", "few_digits"),
        shown="-on-pictures",
    ),
)
