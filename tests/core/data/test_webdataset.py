"""Tar files in the layout of webdataset: what Python's tarfile unpacks is what is read, and nothing else is touched."""

import io
import json
import pickle
import tarfile

import crosslens
import numpy as np
import pytest
from crosslens import testing
from crosslens.errors import ImageError
from PIL import Image

MODEL = testing.TinyModel()


def png(seed):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (11 + seed, 9, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def write(path, members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content[0], "elsewhere"
                archive.addfile(info)
    return path


def samples(*numbers, folder="s/", label=b"%d"):
    pairs = ([(f"{folder}{n:03}.png", png(n)), (f"{folder}{n:03}.cls", label % n)] for n in numbers)
    return [member for pair in pairs for member in pair]


def unpacked(path):
    """The pictures by key, by tarfile itself."""
    with tarfile.open(path) as archive:
        members = [each for each in archive if each.isfile() and each.name.endswith(".png")]
        return {each.name[:-4]: Image.open(io.BytesIO(archive.extractfile(each).read())) for each in members}


def test_pictures_and_labels_are_those_that_tarfile_unpacks(tmp_path):
    path = write(tmp_path / "a.tar", samples(0, 1, 2, 3))
    want = unpacked(path)
    for source in (crosslens.data(path), pickle.loads(pickle.dumps(crosslens.data(path)))):
        assert list(source.ids) == list(want)
        read = source.read(1, 4, MODEL)
        pictures = [crosslens.load_image(each, like=MODEL) for each in list(want.values())[1:]]
        np.testing.assert_array_equal(read.images, np.concatenate(pictures))
        assert read.records == ({"label": "1"}, {"label": "2"}, {"label": "3"})
        assert source.notes == ()


def test_a_label_may_stand_in_json(tmp_path):
    said = [b'{"label": "cat"}', b'{"cls": 7}', b'"dog"', b"3", b'{"caption": "a cat"}', b"{"]
    members = [m for n, text in enumerate(said) for m in ((f"{n}.png", png(n)), (f"{n}.json", text))]
    read = crosslens.data(write(tmp_path / "a.tar", members)).read(0, 6, MODEL)
    assert read.records == ({"label": "cat"}, {"label": "7"}, {"label": "dog"}, {"label": "3"}, {})
    assert "member .json of '5' is not a label that can be read" in read.failures[0].reason


def test_several_files_are_one_source_with_keys_of_their_own(tmp_path):
    for number in range(3):
        write(tmp_path / f"s-{number:02}.tar", samples(number, number + 1))
    places = [tmp_path, str(tmp_path / "s-{00..02}.tar"), str(tmp_path / "*.tar"), sorted(tmp_path.iterdir())]
    sources = [crosslens.data(place) for place in places]
    assert len({source.digest for source in sources}) == 1
    assert sources[0].ids[1:4] == ("s-00.tar:s/001", "s-01.tar:s/001", "s-01.tar:s/002")
    assert crosslens.data(str(tmp_path / "s-{00,02}.tar")).ids == ("s/000", "s/001", "s/002", "s/003")


def test_a_key_that_comes_again_gets_a_number(tmp_path):
    path = write(tmp_path / "a.tar", samples(0, 1) + samples(0))
    assert crosslens.data(path).ids == ("s/000", "s/001", "s/000#2")


def test_what_is_no_picture_and_no_label_is_left_out_and_listed(tmp_path):
    class Spy:
        def __reduce__(self):
            return (pytest.fail, ("a member was unpickled",))

    bad = pickle.dumps(Spy())
    others = [(f"s/000.{ending}", bad) for ending in ("pyd", "pickle", "pkl", "pyc")]
    kinds = {"s/001.jpg": tarfile.SYMTYPE, "s/002.png": tarfile.LNKTYPE, "s/003.png": tarfile.CHRTYPE}
    links = [(name, [kind]) for name, kind in kinds.items()]
    path = write(tmp_path / "a.tar", [("s", [tarfile.DIRTYPE]), *samples(0), *others, *links, ("notes", b"x")])
    source = crosslens.data(path)
    assert source.ids == ("s/000",)
    assert source.left_out == {".pyd": 1, ".pickle": 1, ".pkl": 1, ".pyc": 1, "link or device": 3, "notes": 1}
    assert source.read(0, 1, MODEL).failures == ()
    result = crosslens.method("mean_activation")(MODEL, path)
    assert any("neither pictures nor labels are left out: 3 link or device" in note for note in result.notes)


def test_names_that_climb_out_of_the_folder_are_names_only(tmp_path):
    path = write(tmp_path / "a.tar", [("../../etc/x.png", png(0)), ("/above/y.png", png(1))])
    before = sorted(tmp_path.rglob("*"))
    source = crosslens.data(path)
    assert len(source.read(0, 2, MODEL).ids) == 2
    assert source.ids == ("../../etc/x", "/above/y")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_damaged_picture_is_a_failure_and_the_others_are_read(tmp_path):
    members = [("0.png", png(0)), ("1.png", png(1)[:60]), ("2.png", b""), ("3.png", png(3)), ("4.png", png(4))]
    members += [("5.jpg", png(5)), ("5.png", png(5)), ("6.jpg", png(6)), ("6.seg.png", png(6))]
    read = crosslens.data(write(tmp_path / "a.tar", members)).read(0, 7, MODEL)
    assert read.ids == ("0", "3", "4", "6")
    assert [each.id for each in read.failures] == ["1", "2", "5"]
    assert "'5' has 2 pictures, .jpg, .png; a sample has one" in read.failures[-1].reason


@pytest.mark.parametrize(("cut", "images", "bad"), [(100, 2, 1), (512, 2, 0), (600, 2, 0), (-1, 1, 0)])
def test_a_file_that_ends_early_gives_what_it_holds_and_says_so(tmp_path, cut, images, bad):
    """Within the third picture, or 512 bytes before it: between two members, or within a header."""
    path = write(tmp_path / "a.tar", samples(0, 1, 2))
    with tarfile.open(path) as archive:
        third = archive.getmember("s/002.png").offset_data
        second = archive.getmember("s/001.png").offset_data
    path.write_bytes(path.read_bytes()[: second - 512 if cut < 0 else third + (100 if cut == 100 else -cut)])
    source = crosslens.data(path)
    assert "ends early" in source.notes[0]
    read = source.read(0, len(source), MODEL)
    assert (len(read.ids), len(read.failures)) == (images, bad)


def test_the_digest_is_that_of_contents_labels_and_order(tmp_path):
    same = [write(tmp_path / "a.tar", samples(0, 1)), write(tmp_path / "b.tar", [*samples(0, 1), ("s/001.pyd", b"")])]
    others = [samples(1, 0), samples(0, 2), samples(0, 1, folder="t/"), samples(0, 1, label=b"x%d")]
    files = [*same, *(write(tmp_path / f"{n}.tar", each) for n, each in enumerate(others))]
    digests = [crosslens.data(path).digest for path in files]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 5


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda path: write(path, samples(0), "w:gz"),
            "is compressed, and members are read from where they lie: unpack",
        ),
        (lambda path: path.write_bytes(b"no tar file" * 99), "is not a tar file that can be read"),
        (lambda path: write(path, [("a.txt", b"x")]), "holds no pictures: webdataset's layout is 0001.jpg, 0001.cls"),
    ],
)
def test_what_is_no_such_file_is_one_line(make, text, tmp_path):
    make(tmp_path / "a.tar")
    with pytest.raises(ImageError) as error:
        crosslens.data(tmp_path / "a.tar")
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_of_tar_files_and_pictures_is_not_guessed(tmp_path):
    write(tmp_path / "a.tar", samples(0))
    (tmp_path / "readme.png").write_bytes(png(0))
    with pytest.raises(ImageError, match=r"holds .tar files and pictures: say which, for example .*\*\*/\*.tar"):
        crosslens.data(tmp_path)


def test_json_labels_change_the_digest(tmp_path):
    texts = [json.dumps({"label": name}).encode() for name in "ab"]
    files = [write(tmp_path / f"{n}.tar", [("0.png", png(0)), ("0.json", text)]) for n, text in enumerate(texts)]
    assert len({crosslens.data(path).digest for path in files}) == 2
