"""What a unit reads and who reads it: in a linear network the change that a change of the unit makes."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.arrays import as_numpy
from crosslens.explorer.network import connections
from crosslens.explorer.network.connections import read_by, reads
from crosslens.testing import TinyModel
from torch import nn

from tests.core.explorer.network import networks
from tests.core.explorer.network.books import book_of

SIZE = 16


class Linear(nn.Module):
    """All that a way may lead through: groups, concatenation, normalisations, depthwise, a sum, flattening."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.grouped = nn.Conv2d(4, 6, 3, padding=1, groups=2)
        self.depthwise, self.norm2 = nn.Conv2d(10, 20, 3, padding=1, groups=10), nn.BatchNorm2d(20, eps=0.1)
        self.mixed, self.skip = nn.Conv2d(20, 5, 1), nn.Conv2d(4, 5, 1)
        self.pool, self.drop, self.fc = nn.AvgPool2d(4), nn.Dropout(), nn.Linear(5 * 16, 30)
        self.last = nn.Linear(30, 3)

    def forward(self, x):
        a = self.norm(self.first(x))
        joined = torch.cat([self.grouped(a), a], 1)
        b = self.mixed(self.norm2(self.depthwise(joined))) + self.skip(a)
        return self.last(self.fc(self.drop(torch.flatten(self.pool(b), 1))))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    net = Linear()
    for norm in (net.norm, net.norm2):
        nn.init.normal_(norm.weight)
        nn.init.uniform_(norm.running_var, 0.5, 2)
        nn.init.normal_(norm.running_mean)
    return networks.wrapped(net.eval())


def with_pages(model, *layers):
    book = book_of(model)
    vars(book)["layers"] = layers
    return book


def change(model, source, layer, unit, amount):
    """Of a layer, where a unit of an earlier one is so much larger: (units, positions of its middle) or (units,)."""
    images = networks.images(1)
    before = as_numpy(model.forward(images, [source])[source])
    changed = before.copy()
    changed[0, unit] += amount
    return (
        as_numpy(model.forward(images, [layer], replace={source: changed})[layer])
        - as_numpy(model.forward(images, [layer], replace={source: before})[layer])
    )[0]


def table(links, layer, units, count, field):
    """A number of `Link` of data.ts by unit and unit of a layer."""
    made = np.full((units, count), np.nan)
    for unit, row in enumerate(links):
        for link in row:
            if link["layer"] == layer:
                made[unit, link["unit"]] = link[field]
    return made


def test_the_weight_is_the_change_by_a_change_everywhere_and_the_norm_that_by_one_position(model):
    book = with_pages(model, "norm", "/add")
    given = reads(book, "/add")
    weights, norms = (table(given, book.ids["norm"], 5, 4, field) for field in ("weight", "norm"))
    middle = np.zeros((SIZE, SIZE))
    middle[SIZE // 2, SIZE // 2] = 1
    for unit in range(4):
        everywhere = change(model, "norm", "/add", unit, np.ones((SIZE, SIZE)))
        np.testing.assert_allclose(weights[:, unit], everywhere[:, SIZE // 2, SIZE // 2], rtol=1e-3, atol=1e-4)
        spot = change(model, "norm", "/add", unit, middle)
        np.testing.assert_allclose(norms[:, unit], np.sqrt((spot**2).sum(axis=(1, 2))), rtol=1e-3)
    sizes = [abs(link["weight"]) for link in given[0]]
    assert sizes == sorted(sizes, reverse=True)


def test_of_a_dense_layer_behind_maps_positions_are_summed(model):
    book = with_pages(model, "/add", "fc")
    found = reads(book, "fc")
    weights = table(found, book.ids["/add"], 30, 5, "weight")
    for unit in range(5):
        everywhere = change(model, "/add", "fc", unit, np.ones((SIZE, SIZE)))
        np.testing.assert_allclose(weights[:, unit], everywhere, rtol=1e-3, atol=1e-4)
    kernel = model.weights("fc")["kernel"].reshape(30, 5, -1)
    norms = table(found, book.ids["/add"], 30, 5, "norm")
    np.testing.assert_allclose(norms, np.linalg.norm(kernel, axis=2), rtol=1e-3)


def test_read_by_is_reads_from_the_other_side(model):
    book = with_pages(model, "norm", "/add", "fc")
    forth, back = reads(book, "/add"), read_by(book, "norm")
    by_pair = {(unit, link["unit"]): link["weight"] for unit, row in enumerate(forth) for link in row}
    assert {(link["unit"], unit): link["weight"] for unit, row in enumerate(back) for link in row} == by_pair
    strongest = np.sort(table(reads(book, "fc"), book.ids["/add"], 30, 5, "norm"), axis=0)[::-1][:12]
    for unit, row in enumerate(read_by(book, "/add")):
        np.testing.assert_allclose(sorted(link["norm"] for link in row)[::-1], strongest[:, unit], rtol=1e-4)


def test_behind_the_last_page_kernels_themselves_are_the_readers(model):
    book = with_pages(model, "/add", "fc")
    for unit, row in enumerate(read_by(book, "fc")):
        assert {link["layer"] for link in row} == {book.ids["last"]}
        weights = {link["unit"]: link["weight"] for link in row}
        for reader, weight in enumerate(model.weights("last")["kernel"][:, unit]):
            assert weights[reader] == pytest.approx(weight, rel=1e-3)


def test_a_block_that_adds_what_it_reads_reads_the_same_unit_through_the_sum_too():
    model = networks.wrapped(networks.mobile())
    book = with_pages(model, "blocks.0.bn2", "blocks.1", "blocks.3.bn2")
    images = networks.images(1)
    linear = model.modified(relu="linear")
    weights = table(reads(book, "blocks.1"), book.ids["blocks.0.bn2"], 6, 6, "weight")
    for unit in range(6):
        seed = np.zeros((1, 6, SIZE, SIZE), np.float32)
        seed[0, unit, SIZE // 2, SIZE // 2] = 1
        gradient = as_numpy(linear.vjp(images, {"blocks.1": seed}, wrt=["blocks.0.bn2"]).gradients["blocks.0.bn2"])
        np.testing.assert_allclose(weights[unit], gradient[0].sum(axis=(1, 2)), rtol=1e-3, atol=1e-4)


def test_what_cannot_be_told_further_is_the_layer_itself():
    model = networks.wrapped(networks.Attention().eval())
    book = with_pages(model, "patch", "/add#2", "head")
    names = list(model.layers)
    sources = {names[link["layer"]] for row in reads(book, "/add#2") for link in row}
    assert "patch" in sources
    assert any("attention" in name or "matmul" in name for name in sources)
    assert {names[link["layer"]] for row in reads(book, "head") for link in row} == {"/add#2"}


def test_units_of_the_first_layer_read_none_and_results_are_kept(monkeypatch):
    book = with_pages(TinyModel(), "act1", "act2", "fc")
    assert reads(book, "act1") == [[]] * 4
    kernel = book.model.weights("conv2")["kernel"]
    weights = table(reads(book, "act2"), book.ids["act1"], 6, 4, "weight")
    np.testing.assert_allclose(weights, kernel.sum(axis=(2, 3)), rtol=1e-3, atol=1e-5)
    monkeypatch.setattr(connections, "_found", lambda book: pytest.fail("walked again"))
    assert len(read_by(book, "act2")) == 6


def test_where_no_page_is_near_units_of_what_the_first_kernel_reads_are_listed():
    model = networks.wrapped(networks.mobile())
    book = with_pages(model, "blocks.5")
    names = list(model.layers)
    for unit, row in enumerate(reads(book, "blocks.5")):
        same = [link for link in row if names[link["layer"]] == "blocks.4"]
        assert [(link["unit"], link["weight"]) for link in same] in ([], [(unit, 1.0)])
        assert {names[link["layer"]] for link in row} <= {"blocks.4", "blocks.5.relu1"}


@pytest.mark.parametrize("nested", [False, True])
def test_keras_layers_with_an_activation_of_their_own_are_linked_as_torch_s_apart(nested):
    ours = networks.wrapped(networks.plain())
    keras = crosslens.wrap(networks.plain_keras(nested), preprocess="none")
    images = networks.images(2)
    inner = "inner/" * nested
    names = {
        "/relu": f"{inner}conv_a",
        "/relu#2": f"{inner}conv_b",
        "/relu#3": f"{inner}depthwise",
        "/relu#4": "hidden",
    }
    np.testing.assert_allclose(
        keras.forward(images, ["hidden"])["hidden"], ours.forward(images, ["/relu#4"])["/relu#4"], atol=1e-5
    )
    of_torch, of_keras = with_pages(ours, *names), with_pages(keras, *names.values())
    readers = {**{of_torch.ids[a]: b for a, b in names.items()}, of_torch.ids["out"]: "out"}
    for name, other in names.items():
        for links in (reads, read_by):
            expected, given = links(of_torch, name), links(of_keras, other)
            assert any(expected) == (name != "/relu" or links is read_by)
            for row, found in zip(expected, given, strict=True):
                known = sorted((readers[link["layer"]], link["unit"], link["weight"], link["norm"]) for link in row)
                there = sorted(
                    (list(keras.layers)[link["layer"]], link["unit"], link["weight"], link["norm"]) for link in found
                )
                assert [each[:2] for each in known] == [each[:2] for each in there]
                np.testing.assert_allclose(
                    [each[2:] for each in known], [each[2:] for each in there], rtol=1e-3, atol=1e-5
                )
