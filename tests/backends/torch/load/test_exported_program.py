"""Exported programs answer as the module they came from, and no file runs code when it is opened."""

import io
import json
import pickle
import zipfile
from pathlib import Path

import crosslens
import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT
from crosslens.errors import CrosslensError, ImageError, MemoryLimitError, ModelError
from crosslens.limits import memory
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True)
        self.up = nn.ConvTranspose2d(3, 3, 3, padding=1)

    def forward(self, x):
        y = self.relu(self.norm(self.conv(x)))
        y = self.up(y)
        y += x
        return self.relu(y)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = nn.Sequential(Block(), Block())
        self.act, self.fc = nn.PReLU(3), nn.Linear(3, 5)

    def forward(self, x):
        return self.fc(self.act(self.stages(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return Net().eval()


def exported(net, batch=2, dynamic=False):
    shapes = ({0: torch.export.Dim("batch"), 2: torch.export.Dim("high", min=4)},) if dynamic else None
    return torch.export.export(net, (torch.zeros(batch, 3, 8, 8),), dynamic_shapes=shapes)


@pytest.fixture(scope="module")
def file(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "net.pt2"
    torch.export.save(exported(net, dynamic=True), path)
    return path


@pytest.fixture
def images():
    return np.random.default_rng(0).random((3, 3, 8, 8), np.float32)


def agree(model, other, images):
    """Names, kinds, weights, activations, gradients, replacements of two models of one network."""
    inner = [name for name in model.layers if name not in {INPUT, OUTPUT}]
    assert [(a.name, a.kind) for a in model.layers.values()] == [(a.name, a.kind) for a in other.layers.values()]
    for name in inner:
        mine, theirs = model.weights(name), other.weights(name)
        assert list(mine) == list(theirs)
        assert all(np.array_equal(mine[key], theirs[key]) for key in mine)
    rng = np.random.default_rng(1)
    cotangents = {OUTPUT: rng.standard_normal((3, 5)).astype(np.float32)}
    pulls = [m.vjp(images, cotangents, wrt=[INPUT, *inner], capture=inner) for m in (model, other)]
    for name in inner:
        np.testing.assert_allclose(pulls[0].activations[name], pulls[1].activations[name], rtol=1e-5, atol=1e-6)
    for name in [INPUT, *inner]:
        np.testing.assert_allclose(pulls[0].gradients[name], pulls[1].gradients[name], rtol=1e-4, atol=1e-6)
    given = {"stages.0.relu#2": rng.standard_normal((3, 3, 8, 8)).astype(np.float32)}
    np.testing.assert_allclose(
        model.forward(images, replace=given)[OUTPUT], other.forward(images, replace=given)[OUTPUT], rtol=1e-5
    )


def test_a_file_with_any_batch_and_height_is_the_module(net, file, images):
    model = crosslens.wrap(file)
    assert model.input.shape == (3, None, 8)
    agree(model, crosslens.wrap(net), images)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_program_of_a_fixed_batch_takes_any_number_of_images(net, images, batch):
    agree(crosslens.wrap(exported(net, batch)), crosslens.wrap(net), images)


def test_a_program_of_core_operators_is_the_module(net, images):
    agree(crosslens.wrap(exported(net, dynamic=True).run_decompositions()), crosslens.wrap(net), images)


def test_a_fixed_batch_linearizes_in_pieces(net, images):
    cotangent = np.random.default_rng(1).standard_normal((3, 5)).astype(np.float32)
    expected = crosslens.wrap(net).vjp(images, {OUTPUT: cotangent}).gradients[INPUT]
    with crosslens.wrap(exported(net, 2)).linearize(images, [OUTPUT]) as at:
        for _ in range(2):
            np.testing.assert_allclose(at.vjp({OUTPUT: cotangent})[INPUT], expected, rtol=1e-4, atol=1e-7)


def test_randomised_programs_leave_the_program_alone(net, images):
    model = crosslens.wrap(exported(net, dynamic=True))
    before = model.forward(images)[OUTPUT]
    other, eager = (m.randomised(["fc", "stages.0.up"], 0) for m in (model, crosslens.wrap(net)))
    np.testing.assert_allclose(other.forward(images)[OUTPUT], eager.forward(images)[OUTPUT], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(model.forward(images)[OUTPUT], before)


def test_another_size_than_exported_is_refused(file):
    with pytest.raises(ImageError, match=r"this model takes \(N, 3, any, 8\)"):
        crosslens.wrap(file).forward(np.zeros((1, 3, 8, 9), np.float32))


@pytest.mark.parametrize("shape", [(1, 16, 16), (4, 16, 16), (3, 16, 12)])
def test_an_input_shape_that_the_program_was_not_exported_for_is_refused(net, shape):
    """Its constants may hold for the size that it was exported for only, and would silently give something else."""
    with pytest.raises(
        ModelError, match=r"input_shape is \(.*\), but the program was exported for \(3, .*dynamic_shapes"
    ):
        crosslens.wrap(exported(net), input_shape=shape)


def test_a_program_exported_in_train_mode_is_refused(net):
    program = exported(nn.Sequential(nn.BatchNorm2d(3), nn.Dropout()).train())
    with pytest.raises(ModelError, match=r"exported in train mode; call net.eval\(\) and export it again"):
        crosslens.wrap(program)


def test_a_program_of_two_inputs_is_refused():
    class Sum(nn.Module):
        def forward(self, x, y):
            return x + y

    with pytest.raises(ModelError, match=r"takes 2 inputs, x, y; one is .*inputs=\{'y': array\}"):
        crosslens.wrap(torch.export.export(Sum(), (torch.zeros(1, 3), torch.zeros(1, 3))))


def rewritten(file, path, change):
    """The archive with one member changed: `change(name, content)` gives the new content."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return path


class Bomb:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def graph_with(old, new):
    def change(name, content):
        return content.replace(old.encode(), new.encode()) if name.endswith("model.json") else content

    return change


def pickled(member, thing):
    def change(name, content):
        if not name.endswith(member):
            return content
        buffer = io.BytesIO()
        torch.save(thing, buffer)
        return buffer.getvalue()

    return change


def test_example_inputs_which_are_a_pickle_are_never_opened(file, tmp_path, images):
    mark = tmp_path / "ran"
    torch.load(io.BytesIO(pickled("", Bomb(mark))("", b"")), weights_only=False)
    assert mark.exists(), "the bomb works"
    mark.unlink()
    bad = rewritten(file, tmp_path / "bad.pt2", pickled("sample_inputs/model.pt", ((Bomb(mark),), {})))
    expected = crosslens.wrap(file).forward(images)[OUTPUT]
    np.testing.assert_array_equal(crosslens.wrap(bad).forward(images)[OUTPUT], expected)
    assert not mark.exists()


def test_pickled_weights_are_refused_unopened(file, tmp_path):
    mark = tmp_path / "ran"

    def change(name, content):
        if name.endswith("weight_0"):
            return pickle.dumps(Bomb(mark))
        if not name.endswith("weights_config.json"):
            return content
        config = json.loads(content)
        next(iter(config["config"].values()))["use_pickle"] = True
        return json.dumps(config).encode()

    with pytest.raises(ModelError, match="as a pickle, which could run code"):
        crosslens.wrap(rewritten(file, tmp_path / "bad.pt2", change))
    assert not mark.exists()


def test_an_expression_that_runs_code_is_refused_unevaluated(file, tmp_path):
    mark = tmp_path / "ran"
    with zipfile.ZipFile(file) as archive:
        graph = archive.read(next(n for n in archive.namelist() if n.endswith("model.json"))).decode()
    symbol = graph.split('"expr_str": "')[1].split('"')[0]
    bad = rewritten(file, tmp_path / "bad.pt2", graph_with(symbol, f"__import__('pathlib').Path('{mark}').touch()"))
    with pytest.raises(ModelError, match=r"holds the expr_str \"__import__.*which could run code"):
        crosslens.wrap(bad)
    assert not mark.exists()


@pytest.mark.parametrize(
    "target", ["torch.os.system", "torch.ops.load_library", "_operator.attrgetter", "torch.hub.load"]
)
def test_an_operator_that_is_none_is_refused(file, tmp_path, target):
    bad = rewritten(file, tmp_path / "bad.pt2", graph_with("torch.ops.aten.relu_.default", target))
    with pytest.raises(ModelError, match=f"holds the target '{target}', which could run code"):
        crosslens.wrap(bad)


def test_guards_in_the_file_are_never_run(file, tmp_path):
    mark = tmp_path / "ran"
    code = json.dumps([f"__import__('pathlib').Path('{mark}').touch() is None"])
    bad = rewritten(file, tmp_path / "bad.pt2", graph_with('"guards_code": []', f'"guards_code": {code}'))
    crosslens.wrap(bad).forward(np.zeros((1, 3, 8, 8), np.float32))
    assert not mark.exists()


def test_a_library_in_the_archive_is_refused(file, tmp_path):
    bad = rewritten(file, tmp_path / "bad.pt2", lambda _, content: content)
    with zipfile.ZipFile(bad, "a") as archive:
        archive.writestr("net/data/aotinductor/model/x.so", b"")
    with pytest.raises(ModelError, match=r"holds 'data/aotinductor/model/x.so', which could run code"):
        crosslens.wrap(bad)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"no archive at all", "is not a .pt2 archive, or is truncated"),
        (None, "is not a .pt2 archive, or is truncated"),
        ({"state_dict": 1}, "holds no exported program .* Older files are pickles"),
    ],
    ids=["text", "truncated", "state_dict"],
)
def test_other_files_are_refused(file, tmp_path, content, text):
    path = tmp_path / "bad.pt2"
    if isinstance(content, dict):
        torch.save(content, path)
    else:
        path.write_bytes(content or file.read_bytes()[:5000])
    with pytest.raises(ModelError, match=text):
        crosslens.wrap(path)


def test_parameters_of_a_module_of_its_own_kind_keep_their_names(images):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.extra = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.full((2,), 0.5))

        def forward(self, x):
            return nn.functional.linear(x.mean((2, 3)), self.weight) * self.extra

    net = nn.Sequential(Scaled(), nn.SiLU())
    assert set(crosslens.wrap(net).weights("0")) == {"weight", "extra"}
    assert set(crosslens.wrap(exported(net)).weights("0")) == {"kernel", "extra"}


def in_graph(change):
    """A member changed as a document: `change(graph)`."""

    def changed(name, content):
        if not name.endswith("model.json"):
            return content
        document = json.loads(content)
        change(document)
        return json.dumps(document).encode()

    return changed


@pytest.mark.parametrize("target", ["torch.ops.torchvision.nms.default", "torch.ops.aten.no_such_thing.default"])
def test_an_operator_that_is_not_registered_is_named_in_one_line(file, tmp_path, target, capfd, caplog):
    bad = rewritten(file, tmp_path / "bad.pt2", graph_with("torch.ops.aten.relu_.default", target))
    with pytest.raises(ModelError, match=f"are not registered here: {target[10:]}; import the package") as caught:
        crosslens.wrap(bad)
    assert "\n" not in str(caught.value)
    assert (capfd.readouterr().err, caplog.text) == ("", "")


@pytest.mark.parametrize(
    "target", ["aten.save.default", "prim.rpc_sync.default", "higher_order.inline_asm_elementwise"]
)
def test_an_operator_that_is_torchscript_s_alone_or_runs_code_is_refused(file, tmp_path, target):
    bad = rewritten(file, tmp_path / "bad.pt2", graph_with("torch.ops.aten.relu_.default", f"torch.ops.{target}"))
    with pytest.raises(ModelError, match=r"not registered|could run code"):
        crosslens.wrap(bad)


def test_what_torch_cannot_load_is_its_reason_in_one_line_without_its_log(file, tmp_path, capfd, caplog):
    def drop(document):
        document["graph_module"]["graph"]["nodes"][0]["inputs"] = []

    with pytest.raises(ModelError, match=r"cannot be opened by torch [\w.+]+: ") as caught:
        crosslens.wrap(rewritten(file, tmp_path / "bad.pt2", in_graph(drop)))
    assert "\n" not in str(caught.value)
    assert "check the warnings above" not in str(caught.value)
    assert (capfd.readouterr().err, caplog.text) == ("", "")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"[" * 100_000, "is damaged: models/model.json is not JSON"),
        (b"9" * 100_000, "is damaged: models/model.json is not JSON"),
        (b"{", "is damaged: models/model.json is not JSON"),
        (b"[]", "cannot be opened by torch"),
    ],
)
def test_a_graph_that_is_no_document_gets_one_line(file, tmp_path, content, text):
    bad = rewritten(file, tmp_path / "bad.pt2", lambda name, old: content if name.endswith("model.json") else old)
    with pytest.raises(ModelError, match=text) as caught:
        crosslens.wrap(bad)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"sizes": [{"as_int": -1}]}, "weights are not described as torch does"),
        ({"sizes": [{"as_int": float("nan")}]}, "weights are not described"),
        ({"sizes": [{"as_int": 10**30}]}, "weights are not described"),
        ({"sizes": [{"as_int": 10**15}], "strides": [{"as_int": 0}]}, "the weights of .* would take 4.0 PB of memory"),
        ({"storage_offset": {"as_int": 10**9}}, "is truncated: it holds"),
        ({"strides": []}, "weights are not described"),
    ],
)
def test_sizes_that_a_weight_cannot_have_are_refused(file, tmp_path, change, text):
    def changed(name, content):
        if not name.endswith("weights_config.json"):
            return content
        config = json.loads(content)
        next(iter(config["config"].values()))["tensor_meta"] |= change
        return json.dumps(config).encode()

    with pytest.raises(CrosslensError, match=text):
        crosslens.wrap(rewritten(file, tmp_path / "bad.pt2", changed))


def test_members_are_not_read_before_their_names_and_sizes_are_checked(file, tmp_path, monkeypatch):
    """2 MB on disk that are 2 GB in memory."""
    bad = rewritten(file, tmp_path / "bad.pt2", lambda _, content: content)
    with zipfile.ZipFile(bad, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("net/extra/zeros", "w") as member:
        for _ in range(200):
            member.write(bytes(10**6))
    monkeypatch.setattr(memory, "memory_limit", lambda: memory.resident_memory() + 10**8)
    with pytest.raises(MemoryLimitError, match=r"would take 20.* MB of memory"):
        crosslens.wrap(bad)
