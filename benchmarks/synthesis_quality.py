"""What synthesis reaches, in figures, since no paper publishes any: python -m benchmarks.synthesis_quality [MODEL].

(a) how far the objective on the picture itself rises over that on the noise it began with, for a fixed list of channels
and classes; (b) the probability and rank of the class maximised; (c) how steeply the power spectrum falls with the
frequency, with the Fourier prior, with plain pixels, and in the photographs that scikit-image ships.
"""

import sys

import crosslens
import numpy as np
from crosslens.arrays import as_numpy, softmax
from crosslens.objective import channel
from crosslens.scales import rectified_scales

CLASSES = (281, 574, 985)
CHANNELS = 2
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee")


def slope(image):
    """The power of the frequency with which the power spectrum falls, by least squares over a disc of frequencies."""
    luma = image.mean(axis=0)
    power = np.abs(np.fft.fft2(luma - luma.mean())) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(luma.shape[1]), np.fft.fftfreq(luma.shape[0])))
    kept = (frequency > 0.02) & (frequency < 0.4)
    return float(np.polyfit(np.log(frequency[kept]), np.log(power[kept] + 1e-12), 1)[0])


def risen(model, objective, before, images):
    """The objective on noise and on the pictures, and their ratio."""
    a, b = (float(as_numpy(objective.value(model.forward(x, sorted(objective.layers))))[0]) for x in (before, images))
    return f"{a:9.4f} to {b:9.4f}  x{b / abs(a):.1f}"


def photograph(name, size):
    from PIL import Image
    from skimage import data

    return crosslens.load_image(Image.fromarray(getattr(data, name)()), size=size)[0]


def main(name="demo:lite0_torch"):
    model = crosslens.wrap(name)
    noise = crosslens.method("class_maximisation", steps=1, learning_rate=1e-9)(model, None, CLASSES[0]).images
    for scale in rectified_scales(model, noise):
        for index in range(CHANNELS):
            unit = channel(scale[0], 3 + index)
            try:
                made = crosslens.method("activation_maximisation", steps=96, learning_rate=0.03)(model, None, unit)
            except crosslens.CrosslensError as error:
                print(f"(a) {unit}: {str(error)[:60]}...")
                continue
            print(f"(a) {unit}: {risen(model, unit, noise, made.images)}")
    pictures = crosslens.method("class_maximisation")(model, None, CLASSES)
    shares = softmax(as_numpy(model.forward(pictures.images)[crosslens.OUTPUT]))
    for c, row in zip(CLASSES, shares, strict=True):
        print(f"(b) class {c}: probability {row[c]:.4f}, rank {1 + int((row > row[c]).sum())}")
    plain = crosslens.method("class_maximisation", parameterisation="pixels")(model, None, CLASSES[0])
    real = [slope(photograph(each, pictures.images.shape[-2:])) for each in PHOTOGRAPHS]
    ours = [slope(image) for image in as_numpy(pictures.images)]
    print(f"(c) slope of the spectrum: photographs {np.mean(real):.2f}, Fourier {np.mean(ours):.2f}", end=", ")
    print(f"pixels {slope(as_numpy(plain.images)[0]):.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
