"""Occlusion by stages against whole images, up to rounding, on networks whose graphs differ in every way we know."""

import io
import threading
import warnings
from functools import partial

import crosslens
import numpy as np
import onnx
import pytest
import torch
from crosslens.backends.torch import model as torch_model
from crosslens.errors import ImageError, ParameterError
from crosslens.model import INPUT, OUTPUT
from crosslens.occlusion import cost, engine, occluded
from torch import Tensor, nn
from torch.nn import functional

SIZE = (61, 50)


def conv(cin: int, cout: int, kernel: int, stride: int = 1, *, groups: int = 1, dilation: int = 1) -> nn.Module:
    padding = dilation * (kernel - 1) // 2
    return nn.Sequential(
        nn.Conv2d(cin, cout, kernel, stride, padding, dilation, groups, bias=False), nn.BatchNorm2d(cout)
    )


class Residual(nn.Module):
    def __init__(self, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(conv(cin, 16, 1), nn.ReLU(), conv(16, 16, 3, stride), nn.ReLU(), conv(16, cout, 1))
        self.shortcut = conv(cin, cout, 1, stride) if (cin, stride) != (cout, 1) else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.inner(x) + self.shortcut(x))


class Branches(nn.Module):
    """As an Inception block, with a pool that is padded."""

    def __init__(self, cin: int) -> None:
        super().__init__()
        self.one = nn.Sequential(conv(cin, 8, 1), nn.ReLU())
        self.three = nn.Sequential(conv(cin, 8, 1), nn.ReLU(), conv(8, 8, 3), nn.ReLU())
        self.five = nn.Sequential(conv(cin, 8, 5), nn.ReLU())
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(cin, 8, 1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], 1)


class Dense(nn.Module):
    def __init__(self, cin: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm2d(cin), nn.ReLU(), nn.Conv2d(cin, 16, 3, padding=1, bias=False))
        self.second = nn.Sequential(nn.BatchNorm2d(cin + 16), nn.ReLU(), nn.Conv2d(cin + 16, 16, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x, self.first(x)], 1)
        return torch.cat([x, self.second(x)], 1)


class Squeeze(nn.Module):
    """Squeeze and excite: every place hangs on every other from here on."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, width, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


HEAD = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
NETS = {
    "plain": lambda: nn.Sequential(
        conv(3, 16, 3), nn.ReLU(), conv(16, 16, 3), nn.ReLU(), nn.MaxPool2d(2), conv(16, 32, 3), nn.ReLU(),
        nn.MaxPool2d(2), *HEAD, nn.Linear(32, 10),
    ),
    "residual": lambda: nn.Sequential(
        conv(3, 16, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1), Residual(16, 32, 1), Residual(32, 32, 1),
        Residual(32, 64, 2), Residual(64, 64, 1), *HEAD, nn.Linear(64, 10),
    ),
    "branches": lambda: nn.Sequential(conv(3, 16, 3), nn.ReLU(), Branches(16), Branches(32), *HEAD, nn.Linear(32, 10)),
    "dense": lambda: nn.Sequential(
        conv(3, 16, 3, 2), nn.ReLU(), Dense(16), nn.AvgPool2d(2), conv(48, 16, 1), *HEAD, nn.Linear(16, 10)
    ),
    "depthwise": lambda: nn.Sequential(
        conv(3, 16, 3, 2), nn.ReLU6(), conv(16, 16, 5, groups=16), nn.Hardswish(), conv(16, 24, 1),
        conv(24, 24, 3, 2, groups=24), nn.SiLU(), *HEAD, nn.Linear(24, 10),
    ),
    "dilated": lambda: nn.Sequential(
        conv(3, 16, 3), nn.LeakyReLU(), conv(16, 16, 3, dilation=2), nn.ELU(), conv(16, 16, 3, 3), nn.Tanh(),
        nn.MaxPool2d(2, ceil_mode=True), *HEAD, nn.Linear(16, 10),
    ),
    "squeezed": lambda: nn.Sequential(
        conv(3, 16, 3), nn.ReLU(), conv(16, 16, 3), nn.ReLU(), conv(16, 16, 3), Squeeze(16), conv(16, 16, 3), *HEAD,
        nn.Linear(16, 10),
    ),
    "padded": lambda: nn.Sequential(
        nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 16, 3, 2), nn.PReLU(16), nn.Conv2d(16, 16, 3), nn.AvgPool2d(3, 2, 1),
        nn.LocalResponseNorm(3), *HEAD, nn.Linear(16, 10),
    ),
}  # fmt: skip


def drawn(name: str) -> nn.Module:
    torch.manual_seed(1)
    net = NETS[name]().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.bias, module.running_mean):
                nn.init.normal_(values, 0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return net


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    """So that two threads call the sessions of onnxruntime's stages."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")


def wrapped(backend: str, net: nn.Module, preprocess: str):
    if backend == "torch":
        return crosslens.wrap(net, preprocess=preprocess, input_shape=(3, *SIZE))
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (torch.zeros(1, 3, *SIZE),), buffer, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "N"}}
        )
    return crosslens.wrap(onnx.load_from_string(buffer.getvalue()), preprocess=preprocess)


@pytest.fixture(
    scope="module", params=[(backend, name) for backend in ("onnx", "torch") for name in NETS], ids=":".join
)
def model(request):
    backend, name = request.param
    return wrapped(backend, drawn(name), "imagenet")


def places(window: int, stride: int) -> np.ndarray:
    tops, lefts = (range(0, n - window + 1, stride) for n in SIZE)
    inside = [(t, t + window, x, x + window) for t in tops for x in lefts]
    return np.array([*inside, (0, 3, 40, 50), (60, 61, 49, 50)])


@pytest.fixture
def picture():
    rng = np.random.default_rng(3)
    return rng.random((1, 3, *SIZE), np.float32), rng.random((1, 3, *SIZE), np.float32)


def gathered(found, count: int, layers) -> dict:
    by_place = {place: {k: a[k][row] for k in layers} for which, a in found for row, place in enumerate(which)}
    assert sorted(by_place) == list(range(count))
    return {k: np.stack([by_place[p][k] for p in range(count)]) for k in layers}


EPS = float(np.finfo(np.float32).eps)
TIMES = 2.0


def rounding(values) -> float:
    """How far from the exact one a sum over all places may be, added up one after the other: eps sqrt(places)."""
    return EPS * float(np.sqrt(np.prod(SIZE)) * np.abs(values).max())


def same(got, expected, called=""):
    """Up to rounding: a kernel may add up the numbers of a map in another order where the map is a crop."""
    np.testing.assert_allclose(got, expected, rtol=0, atol=TIMES * rounding(expected), err_msg=called)


def in_float64(name: str, picture, boxes):
    """What torch computes of the covered images in float64."""
    image, cover = picture
    covered = np.concatenate([image] * len(boxes)).astype(np.float64)
    for row, (top, bottom, left, right) in enumerate(boxes):
        covered[row, :, top:bottom, left:right] = cover[0, :, top:bottom, left:right]
    mean, std = (np.array(v).reshape(1, 3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.no_grad():
        return drawn(name).double()(torch.from_numpy((covered - mean) / std)).numpy()


def test_stages_are_no_further_from_float64_than_whole_images(model, picture, request):
    boxes = places(9, 13)
    expected = gathered(engine.by_whole_images(model.forward, *picture, boxes, 4), len(boxes), [OUTPUT])
    exact = in_float64(request.node.callspec.params["model"][1], picture, boxes)
    bound = TIMES * np.abs(expected[OUTPUT] - exact).max() + rounding(exact)
    net = model.staged_network(SIZE, (OUTPUT,))
    picture = [net.preprocess(each) for each in picture]
    assert len(net.stages) >= 3
    for done in range(1, len(net.stages) + 1):
        found = engine._in_batches(net, done, *picture, boxes, np.arange(len(boxes))[::-1], 4)
        got = gathered(found, len(boxes), [OUTPUT])[OUTPUT]
        np.testing.assert_allclose(got, exact, rtol=0, atol=bound, err_msg=f"{done} of {len(net.stages)} stages")


def test_any_layers_can_be_asked_for(model, picture, monkeypatch):
    monkeypatch.setattr(cost, "MAX_COST_SHARE", 10.0)
    monkeypatch.setattr(torch_model, "MIN_BOXES", 0)
    boxes = places(9, 20)
    layers = [name for name in model.layers if name != INPUT][2::3]
    for layer in layers:
        forward = partial(model.forward, capture=[layer])
        expected = np.concatenate([found[layer] for _, found in engine.by_whole_images(forward, *picture, boxes, 4)])
        got = gathered(occluded(model, *picture, boxes, [layer], batch=4), len(boxes), [layer])[layer]
        same(got, expected, layer)


def test_a_layer_whose_shape_the_network_computes_is_occluded_too(model, picture, monkeypatch):
    """The legacy exporter writes Flatten behind an If, whose branches have other numbers of axes."""
    monkeypatch.setattr(cost, "MAX_COST_SHARE", 10.0)
    kinds = {"Flatten", "Reshape", "Squeeze"}
    layer = next((name for name, each in model.layers.items() if each.kind in kinds), OUTPUT)
    boxes = places(9, 20)[:4]
    got = gathered(occluded(model, *picture, boxes, [layer], batch=2), 4, [layer])[layer]
    plain = gathered(engine.by_whole_images(lambda x: model.forward(x, [layer]), *picture, boxes, 4), 4, [layer])
    same(got, plain[layer], layer)


def test_a_map_of_occlusion_is_the_one_of_whole_images(model, picture, monkeypatch):
    """The values are differences of scores: their rounding is that of the scores."""
    method = crosslens.method("occlusion", window=12, stride=7, fill="noise")
    monkeypatch.setattr(cost, "MAX_COST_SHARE", 0.0)
    expected = method(model, picture[0], target=3).values
    monkeypatch.setattr(cost, "MAX_COST_SHARE", 10.0)
    monkeypatch.setattr(torch_model, "MIN_BOXES", 0)
    got = method(model, picture[0], target=3).values
    np.testing.assert_allclose(got, expected, rtol=0, atol=TIMES * rounding(model.forward(picture[0])[OUTPUT]))


@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_what_adds_nothing_up_is_the_same_to_the_last_bit(backend, picture, monkeypatch):
    """Maxima and rectifiers round nothing, whatever the instructions."""
    monkeypatch.setattr(cost, "MAX_COST_SHARE", 10.0)
    monkeypatch.setattr(torch_model, "MIN_BOXES", 0)
    pools = nn.MaxPool2d(3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(5, 3), nn.AdaptiveMaxPool2d(1)
    model = wrapped(backend, nn.Sequential(*pools, nn.Flatten()), "unit")
    boxes = places(9, 20)
    expected = gathered(engine.by_whole_images(model.forward, *picture, boxes, 4), len(boxes), [OUTPUT])
    got = gathered(occluded(model, *picture, boxes, [OUTPUT], batch=4), len(boxes), [OUTPUT])
    np.testing.assert_array_equal(got[OUTPUT], expected[OUTPUT])


def test_a_box_as_large_as_the_image_is_computed_plainly(model, picture, monkeypatch):
    monkeypatch.setattr(engine, "_in_batches", None)
    (found,) = occluded(model, *picture, [(0, *SIZE[:1], 0, *SIZE[1:])])
    np.testing.assert_array_equal(found[1][OUTPUT], model.forward(picture[1])[OUTPUT])


def test_boxes_outside_and_covers_of_another_size_are_refused(model, picture):
    with pytest.raises(
        ParameterError, match=r"box \(0, 62, 0, 4\) \(top, bottom, left, right\) does not lie in an image"
    ):
        next(occluded(model, *picture, [(0, 4, 0, 4), (0, 62, 0, 4)]))
    with pytest.raises(ParameterError, match=r"boxes have shape \(4,\); give \(P, 4\)"):
        next(occluded(model, *picture, (0, 4, 0, 4)))
    with pytest.raises(ImageError, match=r"its cover \(1, 3, 1, 1\); both must be"):
        next(occluded(model, picture[0], picture[1][:, :, :1, :1], [(0, 4, 0, 4)]))


def test_a_failure_in_a_stage_is_raised_and_nothing_runs_on(model, picture, monkeypatch):
    net, threads = model.staged_network(SIZE, (OUTPUT,)), threading.active_count()
    run, calls = type(net).run_stage, []

    def failing(self, stage, crops):
        calls.append(stage)
        if len(crops[0]) != 1 and len(calls) > 20:
            raise ArithmeticError("no more")
        return run(self, stage, crops)

    monkeypatch.setattr(type(net), "run_stage", failing)
    prepared = [net.preprocess(each) for each in picture]
    with pytest.raises(ArithmeticError, match="no more"):
        list(engine.by_stages(net, len(net.stages), *prepared, places(9, 13), 4))
    assert threading.active_count() == threads


def test_nothing_runs_any_more_once_the_reader_has_enough(model, picture):
    net, threads = model.staged_network(SIZE, (OUTPUT,)), threading.active_count()
    found = engine.by_stages(net, 2, *map(net.preprocess, picture), places(9, 13), 4)
    next(found)
    found.close()
    assert threading.active_count() == threads


def test_a_single_box_is_computed_plainly_for_the_image_itself_would_cost_as_much(model, picture):
    box = np.array([(0, 3, 0, 3)])
    assert cost.best_stage_count(model.staged_network(SIZE, (OUTPUT,)), box) == 0
    np.testing.assert_array_equal(
        next(occluded(model, *picture, box))[1][OUTPUT],
        next(engine.by_whole_images(model.forward, *picture, box, 1))[1][OUTPUT],
    )
