"""What hangs in the data-set gallery: command lines over data that anyone can make, the same on every backend."""

from collections.abc import Mapping

from .attack_exhibits import ATTACKS
from .data_exhibit import DataExhibit
from .prior_exhibits import PRIORS

__all__ = ["EXHIBITS"]

EXHIBITS: Mapping[str, DataExhibit] = {
    exhibit.name: exhibit
    for exhibit in (
        DataExhibit(
            "embedding_before",
            "2,500 digits by what the network makes of them before it has learnt anything",
            ("run embedding {mnist}/untrained.{file} {few_digits}/more.npz --layer relu3 -o {out}",),
            ("mnist", "few_digits"),
        ),
        DataExhibit(
            "embedding_after",
            "The same digits after training",
            ("run embedding {mnist}/digits.{file} {few_digits}/more.npz --layer relu3 -o {out}",),
            ("mnist", "few_digits"),
        ),
        DataExhibit(
            "embedding_pictures",
            "625 digits as pictures, at their places",
            ("run embedding {mnist}/digits.{file} {few_digits}/digits.npz --layer relu3 --draw pictures -o {out}",),
            ("mnist", "few_digits"),
        ),
        DataExhibit(
            "embedding_grid_before",
            "The same on a grid, before training",
            ("run embedding {mnist}/untrained.{file} {few_digits}/digits.npz --layer relu3 --draw grid -o {out}",),
            ("mnist", "few_digits"),
        ),
        DataExhibit(
            "embedding_grid",
            "The same on a grid, after training",
            ("run embedding {mnist}/digits.{file} {few_digits}/digits.npz --layer relu3 --draw grid -o {out}",),
            ("mnist", "few_digits"),
        ),
        DataExhibit(
            "checkpoints",
            "The same points before and after training, in one steady layout",
            (
                "checkpoints {mnist}/untrained.{file} {mnist}/digits.{file} --data {few_digits}/digits.npz"
                " --layer relu3 -o {out}",
            ),
            ("mnist", "few_digits"),
            width=900,
            below=True,
        ),
        DataExhibit(
            "dissection_chart",
            "Units of three layers that detect a colour, a texture or a shape, and as many random directions (pale)",
            (
                "shapes --count 600 -o {made}/pictures",
                "sweep {shapes_network}/shapes.{file} {made}/pictures -o {made}/made"
                " dissect:layers=relu2,relu3,relu4,basis=random:0,examples=0",
            ),
            ("shapes_network",),
            width=560,
            height=1100,
            shown="/dissect/concepts",
        ),
        DataExhibit(
            "dissection",
            "Each concept's best unit in the last layer: its mask in yellow, the concept's labels in cyan",
            (
                "shapes --count 600 -o {made}/pictures",
                "run dissect {shapes_network}/shapes.{file} {made}/pictures --layers relu4 --examples 4 -o {out}",
            ),
            ("shapes_network",),
            width=410,
            height=1200,
        ),
        DataExhibit(
            "dissection_planted",
            "A network set by hand: dissection names each unit of shapes for what it was made for",
            (
                "shapes --count 300 -o {made}/pictures",
                "run dissect {shapes_network}/planted.{file} {made}/pictures --layers relu_shapes --units 0,1,2,3,4"
                " --examples 4 -o {out}",
            ),
            ("shapes_network",),
            width=480,
            height=1000,
        ),
        DataExhibit(
            "classes",
            "How alike the digits are in the network's last maps, and how it confuses them",
            ("run class_statistics {mnist}/digits.{file} {mnist}/t10k-images-idx3-ubyte --layer relu3 -o {out}",),
            ("mnist",),
            width=640,
            below=True,
        ),
        DataExhibit(
            "class_pair",
            "The units that tell a 4 from a 9",
            (
                "run class_statistics {mnist}/digits.{file} {mnist}/t10k-images-idx3-ubyte --layer relu3 --pair 4,9"
                " --count 12 -o {out}",
            ),
            ("mnist",),
            width=640,
            below=True,
        ),
        DataExhibit(
            "atlas",
            "What the network's last maps see in digits, and which class each of it speaks for",
            (
                "run activation_atlas {mnist}/digits.{file} {mnist}/t10k-images-idx3-ubyte --layer relu3 --count 2000"
                " --ridge 3 -o {out}",
            ),
            ("mnist",),
            width=460,
            height=560,
        ),
        DataExhibit(
            "atlas_of_a_class",
            "What speaks for a 3",
            (
                "run activation_atlas {mnist}/digits.{file} {mnist}/t10k-images-idx3-ubyte --layer relu3 --count 2000"
                " --ridge 3 -o {made}/atlas.npz",
                "run activation_atlas {mnist}/digits.{file} {mnist}/t10k-images-idx3-ubyte --sample {made}/atlas.npz"
                " --target 3 --cells 5 --ridge 3 -o {out}",
            ),
            ("mnist",),
        ),
        DataExhibit(
            "neighbours",
            "Six photographs, and those that Lite0 puts closest to them",
            (
                "run nearest_neighbours demo:lite0_{backend} {photographs} --count 5 --query motorcycle_left.png,"
                "imagenet_06_609.jpg,imagenet_19_305.jpg,moon.png,brick.png,text.png -o {out}",
            ),
            ("photographs",),
            width=480,
            height=800,
        ),
        DataExhibit(
            "patch",
            "A patch that makes photographs bubbles, in some that took no part in its training",
            (
                "run adversarial_patch demo:lite0_{backend} {free_photographs} --towards bubble --steps 100 --batch 4"
                " --placements 10 -o {out}",
            ),
            ("free_photographs",),
            width=900,
            below=True,
            shown="-on-pictures",
        ),
        DataExhibit(
            "suspects",
            "Digits of the test set whose neighbours have another label",
            (
                "run nearest_neighbours {mnist}/digits.{file} {mnist}/t10k-images-idx3-ubyte --layer relu3"
                " --show suspects --shown 6 --count 8 --share 1 -o {out}",
            ),
            ("mnist",),
            width=480,
            height=800,
        ),
        DataExhibit(
            "facets",
            "Four kinds of sevens that a digit network's unit answers to",
            ("run facets {mnist}/digits.{file} {mnist}/t10k-images-idx3-ubyte --units 7 --steps 32 -o {out}",),
            ("mnist",),
            width=560,
        ),
        DataExhibit(
            "facets_diversity",
            "Four sevens, each climbed from another facet",
            (
                "run facets {mnist}/digits.{file} {mnist}/t10k-images-idx3-ubyte --units 7 -o {made}/facets.npz",
                "run diversity {mnist}/digits.{file} --target 7 --start data:{made}/facets.npz#7 --count 4 --steps 32"
                " -o {out}",
            ),
            ("mnist",),
            width=280,
            height=280,
        ),
        DataExhibit(
            "groups",
            "Six groups of units in a picture of a cat, and what each does for the class",
            (
                'run concept_groups demo:lite0_{backend} {cat} --target "tiger cat" --layer blocks.13.relu0'
                " --steps 48 -o {out}",
            ),
            width=840,
            height=700,
            below=True,
        ),
        DataExhibit(
            "dictionary",
            "What a layer sees where in a picture of a cat",
            (
                'run semantic_dictionary demo:lite0_{backend} {cat} --target "tiger cat" --layer blocks.13.relu0'
                ' --positions "2,1;5,4;1,3" --count 3 --whole --steps 24 -o {out}',
            ),
            width=840,
            below=True,
        ),
        *ATTACKS,
        *PRIORS,
    )
}
