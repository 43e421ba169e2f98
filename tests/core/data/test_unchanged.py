"""Files that change between the digest of a source and the reading of its images."""

import io
import os
import pickle
import tarfile

import crosslens
import numpy as np
import pytest
from crosslens.data.sources import unchanged
from crosslens.errors import ImageError
from crosslens.testing import TinyModel
from PIL import Image

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)


def idx(path, images):
    path.write_bytes(b"\0\0\x08\x04" + b"".join(n.to_bytes(4, "big") for n in images.shape) + images.tobytes())


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()


def tar(path, images):
    with tarfile.open(path, "w") as archive:
        for number, image in enumerate(images):
            member = tarfile.TarInfo(f"{number}.png")
            content = png(image)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def parquet(path, images):
    from pyarrow import Table
    from pyarrow.parquet import write_table

    write_table(Table.from_pydict({"image": [png(image) for image in images]}), path)


WRITERS = {
    "a.npy": np.save,
    "a.npz": lambda path, images: np.savez(path, images=images),
    "a-images-idx4-ubyte": idx,
    "a.tar": tar,
    "a.parquet": parquet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_changed_after_its_digest_is_refused_here_and_in_a_worker(tmp_path, name):
    path, model = tmp_path / name, TinyModel()
    WRITERS[name](path, IMAGES)
    source = crosslens.data(path)
    assert len(source.read(0, 5, model).ids) == 5
    assert source.digest
    sent = pickle.dumps(source)
    assert pickle.loads(sent).digest == source.digest
    before = os.stat(path)
    WRITERS[name](path, IMAGES[::-1].copy())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    for each in (source, pickle.loads(sent)):
        with pytest.raises(ImageError, match=rf"{name}' has changed since it was opened.*make the data again"):
            each.read(0, 5, model)


def test_the_same_file_written_at_another_time_on_another_machine_is_the_same(tmp_path, monkeypatch):
    path = tmp_path / "a.npy"
    np.save(path, IMAGES)
    sent = pickle.dumps(crosslens.data(path))
    os.utime(path, ns=(0, 0))
    monkeypatch.setattr(unchanged, "node", lambda: "another machine")
    assert len(pickle.loads(sent).read(0, 5, TinyModel()).ids) == 5
