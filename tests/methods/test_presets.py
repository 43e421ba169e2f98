"""Each preset against its library's arithmetic written slowly, and against values that captum publishes."""

import crosslens
import numpy as np
import pytest
import scipy.ndimage
import skimage.segmentation
import skimage.transform
import tensorflow as tf
import torch
from crosslens import OUTPUT
from crosslens.attack import AttackMethod
from crosslens.errors import ParameterError
from crosslens.method import Method, with_preset
from crosslens.plugins import image_methods, method_class
from crosslens.result import Attribution
from crosslens.testing import TinyModel
from torch.nn import functional

MODEL = TinyModel(size=12, relu=True)
X = np.random.default_rng(4).random((2, 3, 12, 12), dtype=np.float32)
LAYER, CLASS = "conv2", 2
GIVEN = {("captum", "occlusion"): {"window": 5}, ("tf-keras-vis", "smooth_grad"): {"samples": 6}}


def slopes(x=X, model=MODEL, wrt=crosslens.INPUT):
    seed = np.zeros((len(x), 5), np.float32)
    seed[:, CLASS] = 1
    return model.vjp(x, {OUTPUT: seed}, wrt=[wrt], capture=[wrt])


def gradient(x=X, rule="exact"):
    return slopes(x, MODEL.modified(relu=rule)).gradients[crosslens.INPUT].astype(float)


def score(x):
    return MODEL.forward(x.astype(np.float32))[OUTPUT][:, CLASS].astype(float)


def maps():
    pull = slopes(wrt=LAYER)
    return pull.activations[LAYER].astype(float), pull.gradients[LAYER].astype(float)


def noisy(samples, deviation, gather, clean_last=False):
    """One image after the other, one sample after the other."""
    found = []
    for image in X:
        noise = np.random.default_rng(0).standard_normal((samples, *image.shape), dtype=np.float32)
        if clean_last:
            noise[-1] = 0
        found.append(gather(np.stack([gradient((image + deviation(image) * n)[None])[0] for n in noise])))
    return np.stack(found)


def absolute_noise(amount):
    return lambda image: np.float32(amount)


def relative_noise(share):
    return lambda image: np.float32(share) * (image.max() - image.min())


def path(places, weights):
    return sum(w * gradient((a * X).astype(np.float32)) for a, w in zip(places, weights, strict=True))


def legendre(n):
    places, weights = np.polynomial.legendre.leggauss(n)
    return (places + 1) / 2, weights / 2


def trapezoid(n):
    return np.linspace(0, 1, n), np.array([0.5, *[1.0] * (n - 2), 0.5]) / (n - 1)


def minmax(values, epsilon):
    return np.stack([(v - v.min()) / (v.max() - v.min() + epsilon) for v in values])


def eight_bits(values):
    grey = values.sum(axis=1)
    return np.trunc(np.clip(255 * (grey - grey.mean()) / max(grey.std(), grey.size**-0.5), 0, 255))


def by_torch(values, mode="bilinear", corners=False):
    settings = {} if mode == "nearest" else {"align_corners": corners}
    return functional.interpolate(torch.from_numpy(values)[:, None], X.shape[2:], mode=mode, **settings).numpy()[:, 0]


def by_tensorflow(values):
    return tf.image.resize(values[..., None].astype(np.float32), X.shape[2:], "bicubic").numpy()[..., 0]


def by_scipy(values):
    return np.stack(
        [scipy.ndimage.zoom(v, [n / m for n, m in zip(X.shape[2:], v.shape, strict=True)], order=1) for v in values]
    )


def by_skimage(values):
    return np.stack([skimage.transform.resize(v / v.max(), X.shape[2:]) for v in values])


def opencv_style(values):
    return minmax(by_torch(minmax(values, 1e-7)), 1e-7)


def keras_vis_style(values):
    return minmax(by_scipy(values), 1e-7)


def torchcam_style(values):
    return minmax(values, 1e-8)


def weighted(weights, rectify=True):
    found = (weights[:, :, None, None] * maps()[0]).sum(1)
    return np.maximum(found, 0) if rectify else found


def grad_cam(rectify=True):
    return weighted(maps()[1].mean((2, 3)), rectify)


def guided_cam():
    a, g = maps()
    return weighted((g * (g > 0) * (a > 0)).mean((2, 3)), rectify=False)


def plus_plus(alpha, gather=np.sum):
    a, g = maps()
    return weighted(gather(alpha(a, g) * np.maximum(g, 0), axis=(2, 3)))


def alpha(a, g, gather=np.sum, epsilon=0.0):
    below = 2 * g**2 + gather(a, axis=(2, 3), keepdims=True) * g**3 + epsilon
    return np.where(g != 0, g**2 / np.where(below != 0, below, 1), 0)


def shares(a, g):
    found = alpha(a, g)
    return found / found.sum((2, 3), keepdims=True)


def exp_score():
    return np.exp(score(X))[:, None, None]


def x_grad_cam():
    a, g = maps()
    return weighted((a * g).sum((2, 3)) / a.sum((2, 3)))


def layer_cam():
    a, g = maps()
    return np.maximum((np.maximum(g, 0) * a).sum(1), 0)


def eigen_cam():
    found = []
    for channels in slopes(wrt=LAYER).activations[LAYER]:
        positions = channels.reshape(len(channels), -1).T
        centred = positions - positions.mean(0)
        found.append((centred @ np.linalg.svd(centred)[2][0]).reshape(channels.shape[1:]))
    return np.maximum(np.stack(found), 0)


def score_cam(mask_of, weigh):
    """Image by image and channel by channel."""
    weights = []
    for image, channels in zip(X, maps()[0], strict=True):
        shown = np.stack([image * mask_of(channel[None])[0] for channel in channels]).astype(np.float32)
        weights.append(weigh(MODEL.forward(shown)[OUTPUT].astype(float)))
    return weighted(np.stack(weights))


def softmax(values, axis):
    e = np.exp(values - values.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def over_channels(outputs):
    return softmax(outputs[:, CLASS], 0)


def as_probability(outputs):
    return softmax(outputs, 1)[:, CLASS]


def ablation_cam():
    found = np.zeros((len(X), maps()[0].shape[1]))
    for n, k in np.ndindex(found.shape):
        ablated = maps()[0][n : n + 1].astype(np.float32)
        ablated[0, k] = ablated.min() - 1e7 * (k + 1)
        without = MODEL.forward(X[n : n + 1], replace={LAYER: ablated})[OUTPUT][0, CLASS]
        found[n, k] = (score(X)[n] - without) / score(X)[n]
    return weighted(found)


def full_grad():
    pulls = slopes(wrt="conv1"), slopes(wrt="conv2")
    shares = [X * gradient(), *(p.gradients[w] * bias(w) for p, w in zip(pulls, ("conv1", "conv2"), strict=True))]
    return sum(
        by_torch(minmax_over_largest(c)) for share in shares for c in np.moveaxis(abs(share).astype(float), 1, 0)
    )


def bias(layer):
    return MODEL.weights(layer)["bias"][None, :, None, None]


def minmax_over_largest(values):
    return minmax(values, 1e-7)


BACKGROUND = np.random.default_rng(9).random((3, 3, 12, 12), dtype=np.float32)


def gradient_shap():
    rng, total = np.random.default_rng(0), 0.0
    chosen, places = rng.integers(3, size=5), rng.random(5)
    for start, place in zip(BACKGROUND[chosen], places, strict=True):
        total = total + (X - start) * gradient((start + place * (X - start)).astype(np.float32)) / 5
    return total


SQUARES = np.add.outer(3 * (np.arange(12) // 4), np.arange(12) // 4)
"""Nine superpixels."""


def linear_fit(left, kernel, solve, fill, labels=None):
    """Copy by copy: the coefficients of a weighted regression, painted."""
    found = []
    for image in X:
        segments = SQUARES if labels is None else labels(image)
        z = left(segments.max() + 1).astype(float)
        copies = np.stack([np.where(row[segments] > 0, image, np.float32(fill)) for row in z])
        found.append(solve(z, score(copies), np.asarray([kernel(image, copy) for copy in copies]))[segments])
    return np.stack(found)


def coins(samples):
    return lambda count: np.random.default_rng(0).random((samples, count)) < 0.5


def coalitions(samples, ends):
    def draw(count):
        rng, sizes = np.random.default_rng(0), np.arange(1, count)
        p = 1 / sizes / (count - sizes)
        drawn = np.zeros((samples - 2 * ends, count))
        for row, size in zip(drawn, rng.choice(sizes, len(drawn), p=p / p.sum()), strict=True):
            row[rng.permutation(count)[:size]] = 1
        return np.concatenate([np.ones((1, count)), np.zeros((1, count)), drawn]) if ends else drawn

    return draw


def cosine_kernel(image, copy):
    return np.exp(-((1 - image.ravel() @ copy.ravel() / np.linalg.norm(image) / np.linalg.norm(copy)) ** 2) / 2)


def euclidean_kernel(image, copy):
    return np.exp(-((np.linalg.norm(image - copy) / 45) ** 2))


def centred(z, y, weights):
    weights = weights / weights.sum()
    return z - weights @ z, y - weights @ y, weights


PENALTY = 1e-4
"""captum's own, 0.01, leaves nothing of scores as small as these."""


def lasso(z, y, weights, alpha=PENALTY):
    """Proximal gradient steps on sum w (y - z c)^2 / 2 + alpha |c|."""
    z, y, weights = centred(z, y, weights)
    gram, moment, c = z.T @ (weights[:, None] * z), z.T @ (weights * y), np.zeros(z.shape[1])
    rate = 1 / np.linalg.eigvalsh(gram)[-1]
    for _ in range(20000):
        c = c - rate * (gram @ c - moment)
        c = np.sign(c) * np.maximum(abs(c) - rate * alpha, 0)
    return c


def ridge(z, y, weights, alpha=2.0):
    total = weights.sum()
    z, y, weights = centred(z, y, weights)
    root = np.sqrt(total * weights)[:, None]
    rows = np.concatenate([root * z, np.sqrt(alpha) * np.eye(z.shape[1])])
    return np.linalg.lstsq(rows, np.r_[root[:, 0] * y, np.zeros(z.shape[1])], rcond=None)[0]


def least_squares(z, y, weights):
    return ridge(z, y, weights, alpha=0.0)


def shap_kernel(image, copy):
    return 1e6 if (copy == image).all() or not copy.any() else 1.0


def quickshift(image):
    return skimage.segmentation.quickshift(image.transpose(1, 2, 0).astype(float), ratio=0.5, kernel_size=2)


def rise(samples=300):
    found = []
    for image in X:
        rng, above, below = np.random.default_rng(0), 0.0, 0.0
        for _ in range(samples):
            grid = torch.from_numpy((rng.random((7, 7)) < 0.5).astype(np.float32))
            large = functional.interpolate(grid[None, None], (13, 13), mode="bilinear", align_corners=False)[0, 0]
            top, left = rng.integers(2), rng.integers(2)
            mask = large.numpy()[top : top + 12, left : left + 12]
            above, below = above + score((image * mask)[None])[0] * mask, below + mask
        found.append(above / (below + 1e-4))
    return np.stack(found)


IMPORTANCE = np.random.default_rng(3).random((2, 12, 12), dtype=np.float32)


class Handed(Method):
    """A map that is given."""

    name = "handed"

    def run(self, model, images, objective, progress):
        return Attribution(IMPORTANCE)


def curve(inserted, counts):
    found = []
    for image, order in zip(X, IMPORTANCE.reshape(2, -1).argsort(1)[:, ::-1], strict=True):
        scores = []
        for count in counts:
            changed = np.isin(np.arange(144), order[:count]).reshape(12, 12)
            scores.append(score((image * (changed if inserted else ~changed))[None])[0])
        found.append([scores])
    return np.asarray(found)


TENTHS = np.linspace(0, 144, 11, dtype=int)
EIGHTS = np.arange(0, 145, 8)
"""Twenty steps of 144 pixels are of 7.2 each: rounded up, 18 steps."""


def drop(mask, share):
    before, after = score(X), score(X * mask[:, None])
    fallen = np.maximum(before - after, 0) / (before if share else 1)
    return np.stack([fallen, after > before], axis=1)[:, :, None].astype(float)


def foretold():
    """captum's normalize=False and True, sample by sample: baselines with noise on them take the image's place."""
    found = []
    for n, image in enumerate(X):
        rng, told, fell = np.random.default_rng(0), [], []
        for _ in range(10):
            change = image - rng.normal(0, 0.2, image.shape)
            told.append((change * gradient()[n]).sum())
            fell.append(score(X)[n] - score((image - change)[None])[0])
        told, fell = np.asarray(told), np.asarray(fell)
        best = (told @ fell) / (told @ told)
        found.append([[((scale * told - fell) ** 2).mean()] for scale in (1, best)])
    return np.asarray(found)


def moved():
    """The largest of ten changes of |gradient| as a length, and over the length of |gradient|."""
    found = []
    for image in X:
        rng, whole = np.random.default_rng(0), abs(gradient(image[None]))
        lengths = [np.linalg.norm(abs(gradient(image[None] + noise)) - whole) for noise in drawn(rng, image)]
        found.append([[max(lengths)], [max(lengths) / np.linalg.norm(whole)]])
    return np.asarray(found)


def drawn(rng, image):
    return rng.uniform(-0.02, 0.02, (10, 1, *image.shape)).astype(np.float32)


def covered(window, stride, inside, gather):
    """Row by row, window by window."""
    side, total, count = X.shape[2], np.zeros((2, 12, 12)), np.zeros((12, 12))
    last = side - window if inside else int(np.ceil((side - window) / stride)) * stride
    for top in range(0, last + 1, stride):
        for left in range(0, last + 1, stride):
            image = X.copy()
            image[:, :, top : top + window, left : left + window] = 0
            total[:, top : top + window, left : left + window] += (score(X) - score(image))[:, None, None]
            count[top : top + window, left : left + window] += 1
    return total if gather == "sum" else total / count


SLOW = {
    ("captum", "gradient"): lambda: abs(gradient()),
    ("tf-keras-vis", "gradient"): lambda: minmax(abs(gradient()).max(1), 1e-7),
    ("xplique", "gradient"): lambda: abs(gradient()).max(1),
    ("tf-explain", "gradient"): lambda: eight_bits(abs(gradient())),
    ("pair", "gradient"): gradient,
    ("zennit", "gradient"): gradient,
    ("captum", "gradient_x_input"): lambda: X * gradient(),
    ("xplique", "gradient_x_input"): lambda: (X * gradient()).mean(1),
    ("tf-explain", "gradient_x_input"): lambda: eight_bits(abs(X * gradient())),
    ("captum", "smooth_grad"): lambda: noisy(5, absolute_noise(1.0), lambda g: abs(g).mean(0)),
    ("tf-keras-vis", "smooth_grad"): lambda: minmax(
        noisy(6, relative_noise(0.2), lambda g: abs(g).mean(0)).max(1), 1e-7
    ),
    ("xplique", "smooth_grad"): lambda: noisy(50, absolute_noise(0.2), lambda g: g.mean(0)).mean(1),
    ("captum-smoothgrad_sq", "smooth_grad"): lambda: noisy(5, absolute_noise(1.0), lambda g: (g * g).mean(0)),
    ("captum-vargrad", "smooth_grad"): lambda: noisy(5, absolute_noise(1.0), lambda g: abs(g).var(0)),
    ("xplique-squaregrad", "smooth_grad"): lambda: noisy(50, absolute_noise(0.2), lambda g: (g * g).mean(0)).mean(1),
    ("xplique-vargrad", "smooth_grad"): lambda: noisy(50, absolute_noise(0.2), lambda g: g.var(0, ddof=1)).mean(1),
    ("pair", "smooth_grad"): lambda: noisy(25, relative_noise(0.15), lambda g: (g * g).mean(0)),
    ("zennit", "smooth_grad"): lambda: noisy(20, relative_noise(0.1), lambda g: g.mean(0), clean_last=True),
    ("captum", "integrated_gradients"): lambda: X * path(*legendre(50)),
    ("xplique", "integrated_gradients"): lambda: (X * path(*trapezoid(50))).mean(1),
    ("pair", "integrated_gradients"): lambda: X * path(np.linspace(0, 1, 25), np.full(25, 1 / 25)),
    ("tf-explain", "integrated_gradients"): lambda: eight_bits(abs(path(np.linspace(0, 1, 10), np.full(10, 0.1)))),
    ("zennit", "integrated_gradients"): lambda: X * path(np.arange(1, 21) / 20, np.full(20, 1 / 20)),
    ("captum", "guided_backprop"): lambda: gradient(rule="guided"),
    ("xplique", "guided_backprop"): lambda: gradient(rule="guided").mean(1),
    ("zennit", "guided_backprop"): lambda: gradient(rule="guided"),
    ("pytorch-grad-cam", "guided_backprop"): lambda: gradient(rule="guided"),
    ("tf-keras-vis", "guided_backprop"): lambda: minmax(abs(gradient(rule="guided")).max(1), 1e-7),
    ("captum", "deconvnet"): lambda: gradient(rule="deconvnet"),
    ("xplique", "deconvnet"): lambda: gradient(rule="deconvnet").mean(1),
    ("zennit", "deconvnet"): lambda: gradient(rule="deconvnet"),
    ("captum", "guided_grad_cam"): lambda: gradient(rule="guided") * by_torch(grad_cam(), "nearest")[:, None],
    ("captum", "grad_cam"): lambda: grad_cam(rectify=False),
    ("tf-keras-vis", "grad_cam"): lambda: keras_vis_style(grad_cam()),
    ("xplique", "grad_cam"): lambda: by_tensorflow(grad_cam()),
    ("pair", "grad_cam"): lambda: by_skimage(grad_cam()),
    ("pytorch-grad-cam", "grad_cam"): lambda: opencv_style(grad_cam()),
    ("torchcam", "grad_cam"): lambda: torchcam_style(grad_cam()),
    ("tf-explain", "grad_cam"): lambda: minmax(by_torch(guided_cam()), 0),
    ("pytorch-grad-cam", "grad_cam_plus_plus"): lambda: opencv_style(plus_plus(lambda a, g: alpha(a, g, epsilon=1e-6))),
    ("tf-keras-vis", "grad_cam_plus_plus"): lambda: keras_vis_style(plus_plus(shares) * exp_score()),
    ("xplique", "grad_cam_plus_plus"): lambda: by_tensorflow(plus_plus(lambda a, g: alpha(a, g, np.mean), np.mean)),
    ("torchcam", "grad_cam_plus_plus"): lambda: torchcam_style(plus_plus(lambda a, g: g**2)),
    ("pytorch-grad-cam", "x_grad_cam"): lambda: opencv_style(x_grad_cam()),
    ("torchcam", "x_grad_cam"): lambda: torchcam_style(x_grad_cam()),
    ("tf-keras-vis", "layer_cam"): lambda: keras_vis_style(layer_cam()),
    ("pytorch-grad-cam", "layer_cam"): lambda: opencv_style(layer_cam()),
    ("torchcam", "layer_cam"): lambda: torchcam_style(layer_cam()),
    ("pytorch-grad-cam", "hires_cam"): lambda: opencv_style(np.maximum((maps()[0] * maps()[1]).sum(1), 0)),
    ("pytorch-grad-cam", "eigen_cam"): lambda: opencv_style(eigen_cam()),
    ("torchcam", "score_cam"): lambda: torchcam_style(score_cam(lambda m: by_torch(minmax(m, 1e-8)), over_channels)),
    ("pytorch-grad-cam", "score_cam"): lambda: opencv_style(
        score_cam(lambda m: minmax(by_torch(m, corners=True), 1e-8), over_channels)
    ),
    ("tf-keras-vis", "score_cam"): lambda: keras_vis_style(
        score_cam(lambda m: minmax(by_scipy(m), 1e-7), as_probability)
    ),
    ("pytorch-grad-cam", "ablation_cam"): lambda: opencv_style(ablation_cam()),
    ("pytorch-grad-cam", "full_grad"): lambda: minmax(full_grad(), 1e-7),
    ("captum", "expected_gradients"): gradient_shap,
    ("captum", "lime"): lambda: linear_fit(coins(25), cosine_kernel, lasso, 0.0),
    ("xplique", "lime"): lambda: linear_fit(coins(150), euclidean_kernel, ridge, 0.5, quickshift),
    ("captum", "kernel_shap"): lambda: linear_fit(coalitions(25, ends=True), shap_kernel, least_squares, 0.0),
    ("xplique", "kernel_shap"): lambda: linear_fit(
        coalitions(800, ends=False), lambda image, copy: 1.0, least_squares, 0.5, quickshift
    ),
    ("xplique", "rise"): rise,
    ("xplique", "deletion"): lambda: curve(inserted=False, counts=TENTHS),
    ("xplique", "insertion"): lambda: curve(inserted=True, counts=TENTHS),
    ("torchcam", "deletion"): lambda: curve(inserted=False, counts=EIGHTS),
    ("torchcam", "insertion"): lambda: curve(inserted=True, counts=EIGHTS),
    ("torchcam", "average_drop"): lambda: drop(IMPORTANCE, share=True),
    ("pytorch-grad-cam", "average_drop"): lambda: drop(IMPORTANCE, share=False),
    ("xplique", "average_drop"): lambda: drop(minmax(IMPORTANCE, 1e-8), share=True),
    ("captum", "infidelity"): foretold,
    ("captum", "sensitivity_max"): moved,
    ("captum", "occlusion"): lambda: covered(5, 1, inside=False, gather="mean"),
    ("xplique", "occlusion"): lambda: covered(3, 3, inside=True, gather="sum"),
    ("pair", "occlusion"): lambda: covered(11, 1, inside=True, gather="sum"),
}
GIVEN["pair", "occlusion"] = {"window": 11}
GIVEN["captum", "expected_gradients"] = {"background": BACKGROUND}
GIVEN["captum", "lime"] = {"superpixels": SQUARES, "penalty": PENALTY}
GIVEN["captum", "kernel_shap"] = {"superpixels": SQUARES}
GIVEN["xplique", "rise"] = {"samples": 300}
GIVEN |= {pair: {"method": Handed()} for pair in SLOW if pair[1] in {"deletion", "insertion", "average_drop"}}
GIVEN["captum", "infidelity"] = {"method": "gradient"}
GIVEN["captum", "sensitivity_max"] = {"method": crosslens.method("gradient", preset="captum")}
PAIRS = [pytest.param(*pair, id="-".join(pair)) for pair in SLOW]
CAMS_OF_A_LAYER = {name for _, name in SLOW if "cam" in name}


def configured(library, method):
    layer = {"layer": LAYER} if method in CAMS_OF_A_LAYER else {}
    return crosslens.method(method, preset=library, **layer, **GIVEN.get((library, method), {}))


@pytest.mark.parametrize(("library", "method"), PAIRS)
def test_a_preset_is_its_librarys_arithmetic(library, method):
    result = configured(library, method)(MODEL, X, target=CLASS)
    expected = SLOW[library, method]()
    assert result.values.shape == expected.shape
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(result.values, expected, rtol=1e-4, atol=2e-6 * np.abs(expected).max())


def test_torchcams_cam_is_the_weighted_sum_from_0_to_1():
    raw = crosslens.method("cam")(MODEL, X, target=CLASS).values
    got = crosslens.method("cam", preset="torchcam")(MODEL, X, target=CLASS).values
    np.testing.assert_allclose(got, torchcam_style(raw), rtol=1e-5, atol=1e-7)


def test_no_preset_is_declared_without_a_test():
    """Those of attacks: tests/methods/adversarial/test_attack_presets.py; of relevance: tests/methods/relevance."""
    explaining = [name for name in image_methods() if not issubclass(method_class(name), AttackMethod)]
    explaining = [name for name in explaining if ".relevance." not in method_class(name).__module__]
    declared = {(library, name) for name in explaining for library in method_class(name).presets}
    assert declared == {*SLOW, ("torchcam", "cam")}


class OneConvolution(torch.nn.Module):
    """captum's BasicModel_ConvNet_One_Conv."""

    def __init__(self):
        super().__init__()
        self.conv1, self.relu1 = torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU()
        self.fc1, self.relu2 = torch.nn.Linear(8, 4), torch.nn.ReLU()
        with torch.no_grad():
            self.conv1.weight.fill_(1)
            self.conv1.bias.copy_(torch.tensor([-50.0, -75.0]))
            self.fc1.weight.copy_(torch.tensor([[1.0] * 5 + [-1.0] * 3] * 4))
            self.fc1.bias.zero_()

    def forward(self, x):
        return self.relu2(self.fc1(self.relu1(self.conv1(x)).flatten(1)))


PUBLISHED = {
    ("grad_cam", "conv1"): [[11.25, 13.5], [20.25, 22.5]],
    ("grad_cam", "relu1"): [[0, 4], [28, 32.5]],
    ("guided_backprop", None): [[0, 1, 1, 1], [1, 3, 3, 2], [1, 3, 3, 2], [1, 2, 2, 1]],
}


@pytest.mark.parametrize(("method", "layer"), PUBLISHED)
def test_captums_published_values_come_out_of_its_presets(method, layer):
    model = crosslens.wrap(OneConvolution().eval(), preprocess=None, input_shape=(1, 4, 4))
    model.input = crosslens.InputSpec((1, 4, 4), bounds=None)
    image = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    settings = {"layer": layer} if layer else {}
    values = crosslens.method(method, preset="captum", **settings)(model, image, target=0).values
    np.testing.assert_allclose(values.squeeze(), PUBLISHED[method, layer], rtol=1e-6)


def test_what_is_given_stays_under_a_preset():
    assert crosslens.method("smooth_grad", preset="captum", samples=9).samples == 9
    assert crosslens.method("smooth_grad", preset="captum").samples == 5
    assert crosslens.method("lime", preset="captum").penalty == 0.01
    assert crosslens.method("smooth_grad").samples == method_class("smooth_grad").samples != 5


def test_the_provenance_names_the_preset_and_its_steps():
    provenance = crosslens.method("gradient", preset="xplique")(MODEL, X, target=CLASS).provenance
    assert provenance["preset"] == "xplique"
    assert provenance["steps"] == ["absolute value", "largest over channels"]
    assert "preset" not in crosslens.method("gradient")(MODEL, X, target=CLASS).provenance


def test_a_preset_is_a_subclass_with_other_defaults():
    kind = method_class("grad_cam")
    assert issubclass(with_preset(kind, "captum"), kind)
    assert with_preset(kind, "captum")().rectified is False
    assert kind().rectified is True


def test_an_unknown_preset_is_told_what_there_is():
    with pytest.raises(
        ParameterError, match=r"grad_cam has no preset 'captun'; it has captum, .* Did you mean 'captum'"
    ):
        crosslens.method("grad_cam", preset="captun")
    with pytest.raises(ParameterError, match="recipro_cam has no preset 'captum'; it has none"):
        crosslens.method("recipro_cam", preset="captum")
