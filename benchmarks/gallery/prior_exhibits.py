"""What hangs in the gallery of learned priors: the same class pictures with and without each, by one command."""

from .data_exhibit import DataExhibit

__all__ = ["PRIORS"]

DIGITS = 'run activation_maximisation {priors}/classifier.{file} --target "0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9"'
FACES = 'run activation_maximisation demo:xception_{backend} --target "angry | happy | sad | surprise"'

PRIORS = (
    DataExhibit(
        "prior_none", "What a digit network is sure are the ten digits", (f"{DIGITS} -o {{out}}",), ("priors",)
    ),
    DataExhibit(
        "prior_generator",
        "The same, made by a generator of digits",
        (f"{DIGITS} --prior dgn_am --generator {{priors}}/generator.{{file}} -o {{out}}",),
        ("priors",),
    ),
    DataExhibit(
        "prior_ppgn",
        "The same, of codes of the network's own layer, which must be those of their pictures",
        (
            f"{DIGITS} --prior ppgn --generator {{priors}}/decoder.{{file}} --encoder {{priors}}/classifier.{{file}}"
            " --code-layer relu4 --epsilon1 0.1 --learning-rate 0.1 -o {out}",
        ),
        ("priors",),
    ),
    DataExhibit(
        "prior_denoiser",
        "The same, each step towards what a denoiser makes of the picture",
        (
            f"{DIGITS} --prior denoiser --denoiser {{priors}}/denoiser.{{file}} --sigma 0.3 --epsilon1 0.03"
            " --parameterisation pixels -o {out}",
        ),
        ("priors",),
    ),
    DataExhibit(
        "prior_face_none",
        "What a network of emotions takes for an angry, a happy, a sad and a surprised face",
        (f"{FACES} -o {{out}}",),
    ),
    DataExhibit(
        "prior_face",
        "The same, made by a generator of faces",
        (
            f"{FACES} --prior dgn_am --generator demo:dcgan_{{backend}} --learning-rate 0.3 --code-bound 2.5"
            " --code-decay 0.02 --turn 0 --steps 120 --seed 5 -o {out}",
        ),
    ),
)
