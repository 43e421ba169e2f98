"""The zoo's cache holds the very network that would be built."""

import pytest

onnx_files = pytest.importorskip("crosslens.backends.zoo.onnx_files")
weights = pytest.importorskip("crosslens.backends.zoo.weights")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSLENS_CACHE", str(tmp_path))
    for cached in (onnx_files._export, weights.dcgan):
        cached.cache_clear()
    yield tmp_path
    for cached in (onnx_files._export, weights.dcgan):
        cached.cache_clear()


def exported_again():
    onnx_files._export.cache_clear()
    return onnx_files.dcgan().SerializeToString(deterministic=True)


def test_a_cached_network_is_bit_by_bit_the_one_that_is_built(folder, monkeypatch):
    first = exported_again()
    (path,) = folder.glob("dcgan-*.onnx")
    assert path.read_bytes() == first
    fresh = onnx_files._dynamo("dcgan", (100, 1, 1))
    monkeypatch.setattr(onnx_files, "_by_torch", None)
    assert exported_again() == first == fresh


def test_another_builder_makes_the_cached_network_out_of_date(folder, monkeypatch):
    made = []

    def build(network, shape):
        made.append(network)
        return onnx_files.onnx.ModelProto(producer_name=f"build {len(made)}").SerializeToString()

    monkeypatch.setattr(onnx_files, "_dynamo", build)
    assert exported_again() == exported_again()
    monkeypatch.setattr(onnx_files, "builders_digest", lambda: "another")
    assert onnx_files.onnx.load_from_string(exported_again()).producer_name == "build 2"


def test_cached_weights_are_those_of_the_package(folder):
    torch = pytest.importorskip("torch")
    from crosslens.backends.zoo.packaged import DCGAN, packaged

    state = torch.load(packaged(DCGAN), weights_only=True, map_location="cpu")["netG_state_dict"]
    for _ in range(2):
        weights.dcgan.cache_clear()
        kernel = weights.dcgan()["0"]["kernel"]
        assert (kernel == state["main.0.weight"].numpy().swapaxes(0, 1)).all()
    assert len(list(folder.glob("dcgan-weights-*.npz"))) == 1
