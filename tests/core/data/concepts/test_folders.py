"""Folders with masks: ours, VOC's and Broden's; what is missing is told, what is bad is listed."""

import json
import pickle

import crosslens
import numpy as np
import pytest
from crosslens import testing
from crosslens.data.sources.concepts.voc import voc_colours
from crosslens.errors import ImageError
from PIL import Image

MODEL = testing.TinyModel(size=8)
RNG = np.random.default_rng(0)
SHAPE = RNG.integers(0, 3, (4, 8, 8)).astype(np.uint8)
COLOUR = RNG.integers(0, 2, (4, 8, 8)).astype(np.uint8)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if picture.mode == "L" and options.get("palette"):
        picture.putpalette([n for colour in voc_colours() for n in colour])
    picture.save(path)


def pictures(folder, names):
    for number, name in enumerate(names):
        save(folder / name, np.random.default_rng(number).integers(0, 255, (8, 8, 3), np.uint8))


@pytest.fixture
def folder(tmp_path):
    """Four pictures, one in a sub-folder, masks of two categories; the second of colours has a palette."""
    names = ("0", "1", "2", "old/3")
    pictures(tmp_path / "images", [f"{name}.jpg" for name in names])
    for name, shape, colour in zip(names, SHAPE, COLOUR, strict=True):
        save(tmp_path / f"masks/shape/{name}.png", shape)
        save(tmp_path / f"masks/colour/{name}.png", colour, palette=name == "1")
    names = {"shape": {"1": "disc", "2": "square"}, "colour": ["red"]}
    (tmp_path / "concepts.json").write_text(json.dumps(names))
    return tmp_path


def maps(source, number):
    (record,) = source.read(number, number + 1, MODEL).records
    return record["concepts"]


def reason(source, number):
    (failure,) = source.read(number, number + 1, MODEL).failures
    return failure.reason


def test_a_folder_holds_a_plane_for_each_category(folder):
    source = crosslens.data(folder)
    assert source.ids == ("0.jpg", "1.jpg", "2.jpg", "old/3.jpg")
    assert source.concepts.by_category == {"colour": (1,), "shape": (2, 3), "class": (4,)}
    for each in (source, pickle.loads(pickle.dumps(source))):
        for number in range(3):
            colour, shape = COLOUR[number], np.where(SHAPE[number] > 0, SHAPE[number] + 1, 0)
            np.testing.assert_array_equal(maps(each, number), [colour, shape])
        assert (maps(each, 3)[2] == 4).all()  # the sub-folder is the class of the whole picture
        assert each.read(3, 4, MODEL).records[0]["label"] == "old"
        assert each.digest == source.digest


def test_images_are_those_of_the_pictures_alone(folder):
    np.testing.assert_array_equal(
        crosslens.data(folder).read(0, 4, MODEL).images, crosslens.data(folder / "images").read(0, 4, MODEL).images
    )


def test_a_table_of_names_says_the_same(folder):
    expected = crosslens.data(folder).concepts
    (folder / "concepts.json").unlink()
    (folder / "concepts.csv").write_text("category,number,name\nshape,1,disc\nshape,2,square\ncolour,1,red\n")
    assert crosslens.data(folder).concepts == expected


def test_the_digest_changes_with_a_mask_and_with_a_name(folder):
    digests = [crosslens.data(folder).digest]
    save(folder / "masks/shape/0.png", 1 - SHAPE[0] % 2)
    digests.append(crosslens.data(folder).digest)
    (folder / "concepts.json").write_text('{"shape": ["disc", "box"], "colour": ["red"]}')
    digests.append(crosslens.data(folder).digest)
    assert len(set(digests)) == 3


def test_white_is_unlabelled_and_a_category_may_have_more_planes(folder):
    white = np.where(COLOUR[0] > 0, 255, 2).astype(np.uint8)
    save(folder / "masks/shape.2/0.png", white)
    save(folder / "masks/shape/0.png", SHAPE[0].astype(np.uint16))
    source = crosslens.data(folder)
    assert source.concepts.by_category["shape"] == (2, 3)
    assert maps(source, 0).shape == (3, 8, 8)
    np.testing.assert_array_equal(maps(source, 0)[2], np.where(COLOUR[0] > 0, 0, 3))


def test_masks_of_one_kind_lie_in_masks_directly(folder):
    for name in ("shape", "colour"):
        (folder / "masks" / name).rename(folder / name)
    save(folder / "masks/0.png", SHAPE[0])
    (folder / "concepts.json").write_text('{"1": "disc", "2": "square"}')
    source = crosslens.data(folder)
    assert source.concepts.by_category["concept"] == (1, 2)
    np.testing.assert_array_equal(maps(source, 0), [SHAPE[0]])


def test_labels_of_whole_pictures_are_concepts_and_the_label_is_the_class(folder):
    (folder / "labels.csv").write_text("image,label,scene\n0.jpg,cat,street\n1,dog,\n2.jpg,,beach\n")
    source = crosslens.data(folder)
    beach, street = source.concepts.numbers("scene")
    assert source.concepts.label(street) == "street (scene)"
    assert (maps(source, 0)[2] == street).all()
    assert maps(source, 1).shape == (2, 8, 8)
    assert (maps(source, 2)[2] == beach).all()
    labels = [record.get("label") for record in source.read(0, 4, MODEL).records]
    assert labels == ["cat", "dog", None, "old"]


def test_masks_alone_are_not_needed_where_whole_pictures_are_labelled(tmp_path):
    pictures(tmp_path / "images", ["cat/1.png", "dog/1.png"])
    source = crosslens.concept_data(tmp_path)
    assert source.concepts.names == ("cat", "dog")
    np.testing.assert_array_equal(maps(source, 1), np.full((1, 8, 8), 2))


def test_bad_masks_are_failures_of_their_pictures(folder):
    (folder / "masks/shape/0.png").write_bytes(b"no picture")
    save(folder / "masks/shape/1.png", SHAPE[1][:6])
    save(folder / "masks/shape/2.png", SHAPE[2] + 1)
    source = crosslens.data(folder)
    assert "not a picture" in reason(source, 0)
    assert "has 8 x 6 pixels and its picture 8 x 8: give labels of the picture's size" in reason(source, 1)
    assert "holds the number 3 without a name: the concepts of 'shape' have names up to 2" in reason(source, 2)
    samples = source.read(0, 4, MODEL)
    assert samples.indices == (3,)
    assert len(samples.images) == 1
    save(folder / "masks/shape/2.png", np.zeros((8, 8, 3), np.uint8))
    assert "is a picture of bands R, G, B; a mask has one number" in reason(source, 2)
    Image.fromarray(SHAPE[2]).save(folder / "masks/shape/2.png", "jpeg")
    assert "is a JPEG file, which changes the numbers" in reason(source, 2)


def test_a_picture_without_any_mask_is_a_failure(folder):
    for kind in ("shape", "colour"):
        (folder / "masks" / kind / "1.png").unlink()
        save(folder / "masks" / kind / "gone.png", SHAPE[0])
    source = crosslens.data(folder)
    assert "it has no mask: there is no '" in reason(source, 1)
    assert source.notes == (f"2 masks in '{folder / 'masks'}' have no picture of their name: left out",)


def test_masks_are_read_only_for_methods_that_use_them(folder):
    save(folder / "masks/shape/1.png", np.zeros((8, 3), np.uint8))
    source = crosslens.data(folder)
    alone = source.images_only()
    assert alone.digest == source.digest
    assert (len(source.read(0, 4, MODEL).failures), len(alone.read(0, 4, MODEL).failures)) == (1, 0)
    assert "concepts" not in alone.read(0, 1, MODEL).records[0]
    means = crosslens.method("mean_activation", layer="act1")
    assert means(MODEL, folder).provenance["source"]["read"] == 4
    survey = crosslens.sweep(MODEL, folder, [means, crosslens.method("dissect", layers=("act1",), examples=0)])
    assert survey["mean_activation"].provenance["source"]["read"] == 3


def test_most_pictures_bad_is_an_error_before_any_work(folder):
    for name in ("0", "1", "2"):
        save(folder / f"masks/shape/{name}.png", SHAPE[0] + 5)
    with pytest.raises(ImageError, match=r"3 of 4 images that were tried cannot be used: .* holds the numbers 5, 6, 7"):
        crosslens.data(folder).check(MODEL)


def test_what_is_missing_in_a_folder_is_named(folder):
    (folder / "concepts.json").write_text('{"colour": ["red"]}')
    with pytest.raises(
        ImageError, match=r"masks of 'shape', numbers without names: concepts.json there names colour on"
    ):
        crosslens.data(folder)
    (folder / "concepts.json").unlink()
    with pytest.raises(ImageError, match=r"is missing; right is .*For the pictures alone give '.*images'"):
        crosslens.data(folder)
    (folder / "concepts.json").write_text('{"shape": 3, "colour": ["red"]}')
    with pytest.raises(ImageError, match=r"does not name numbers"):
        crosslens.data(folder)
    (folder / "concepts.json").write_text("{")
    with pytest.raises(ImageError, match=r"is not JSON that can be read"):
        crosslens.data(folder)


def test_names_of_pictures_and_masks_that_do_not_fit_are_told(folder):
    (folder / "images/0.jpg").rename(folder / "images/x.jpg")
    for name in ("1", "2", "old/3"):
        (folder / f"images/{name}.jpg").unlink()
    with pytest.raises(ImageError, match=r"no picture of '.*' has a mask of its name: 'x.jpg' needs '.*colour/x.png'"):
        crosslens.data(folder)


def test_a_folder_without_labels_is_refused_with_what_would_be_right(tmp_path):
    pictures(tmp_path / "photos", ["1.png"])
    with pytest.raises(ImageError, match=r"has no labelled pixels; give a folder with images/"):
        crosslens.concept_data(tmp_path / "photos")
    with pytest.raises(ImageError, match=r"does not exist; give a folder"):
        crosslens.concept_data(tmp_path / "gone")
    (tmp_path / "photos").rename(tmp_path / "images")
    with pytest.raises(ImageError, match=r"labels nothing"):
        crosslens.concept_data(tmp_path)


def test_voc_is_read_by_its_palette_and_by_its_colours(tmp_path):
    masks = RNG.integers(0, 21, (2, 8, 8)).astype(np.uint8)
    masks[0, 0, 0] = 255
    pictures(tmp_path / "JPEGImages", ["a.jpg", "b.jpg", "c.jpg"])
    save(tmp_path / "SegmentationClass/a.png", masks[0], palette=True)
    save(tmp_path / "SegmentationClass/b.png", np.array(voc_colours(), np.uint8)[masks[1]])
    source = crosslens.data(tmp_path)
    assert source.ids == ("a.jpg", "b.jpg")
    assert source.notes == (f"1 pictures in '{tmp_path / 'JPEGImages'}' have no mask in SegmentationClass: left out",)
    assert (len(source.concepts), source.concepts.names[0], source.concepts.names[14]) == (20, "aeroplane", "person")
    np.testing.assert_array_equal(maps(source, 0), [np.where(masks[0] == 255, 0, masks[0])])
    np.testing.assert_array_equal(maps(pickle.loads(pickle.dumps(source)), 1), masks[1:])
    (tmp_path / "labelmap.txt").write_text("# label:color_rgb:parts:actions\nbackground:0,0,0::\ncup:9,9,9::\n")
    save(tmp_path / "SegmentationClass/b.png", np.uint8([[[9, 9, 9]] * 8] * 4 + [[[0, 0, 0]] * 8] * 4))
    source = crosslens.data(tmp_path)
    assert source.concepts.names == ("cup",)
    np.testing.assert_array_equal(maps(source, 1)[0], np.repeat([1, 0], 32).reshape(8, 8))
    save(tmp_path / "SegmentationClass/b.png", np.full((8, 8, 3), 7, np.uint8))
    assert "holds the colour (7, 7, 7), which no class has" in reason(source, 1)


def test_vocs_palette_is_that_of_its_devkit():
    """The first ones of the list that every user of VOC knows."""
    assert [voc_colours()[n] for n in (1, 2, 3, 4, 8, 15, 20, 255)] == [
        (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (64, 0, 0), (192, 128, 128), (0, 64, 128),
        (224, 224, 192),
    ]  # fmt: skip


def test_broden_is_read_by_its_index(tmp_path):
    pictures(tmp_path / "images", ["a/1.jpg", "a/2.jpg", "a/3.jpg"])
    codes = RNG.choice([0, 2, 300], (4, 4))
    coded = np.stack([codes % 256, codes // 256, np.zeros_like(codes)], axis=-1).astype(np.uint8)
    save(tmp_path / "images/a/1_part.png", coded)
    (tmp_path / "label.csv").write_text(
        "number,name,category,frequency,coverage,syns\n0,-,,0,0,\n2,leg,part(3);object(1),5,1.5,\n"
        "300,head,part(9),5,1.5,\n7,street,scene(2),5,1.5,road\n"
    )
    (tmp_path / "index.csv").write_text(
        "image,split,ih,iw,sh,sw,object,part,scene\na/1.jpg,train,8,8,4,4,2,a/1_part.png,7\n"
        "a/2.jpg,val,8,8,4,4,,,7\na/3.jpg,val,8,8,4,4,,,\n"
    )
    source = crosslens.data(tmp_path)
    assert source.ids == ("a/1.jpg", "a/2.jpg")
    assert source.concepts.by_category == {"object": (1,), "part": (2, 3), "scene": (4,)}
    whole, part, scene = maps(source, 0)
    assert ((whole == 1).all(), (scene == 4).all()) == (True, True)
    expected = np.select([codes == 2, codes == 300], [2, 3])
    np.testing.assert_array_equal(part, expected.repeat(2, axis=0).repeat(2, axis=1))
    assert (maps(source, 1) == 4).all()


def test_ade20k_is_read_with_its_parts_and_names(tmp_path):
    masks = RNG.integers(0, 4, (2, 8, 8)).astype(np.uint8)
    pictures(tmp_path / "images", ["training/ADE_1.jpg", "training/ADE_2.jpg", "validation/ADE_1.jpg"])
    save(tmp_path / "annotations/training/ADE_1.png", masks[0])
    save(tmp_path / "annotations/validation/ADE_1.png", masks[1])
    (tmp_path / "objectInfo150.txt").write_text(
        "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1576\t11664\t1172\t1\twall\n"
        "2\t0.1\t1\t1\t1\tscreen, silver screen\n3\t0.1\t1\t1\t1\tscreen, CRT screen\n"
    )
    source = crosslens.data(tmp_path)
    assert source.ids == ("training/ADE_1.jpg", "validation/ADE_1.jpg")
    assert source.concepts.names == ("wall", "screen, silver screen", "screen, CRT screen")
    assert source.concepts.by_category == {"object": (1, 2, 3)}
    assert "1 pictures" in source.notes[0]
    for index in range(2):
        np.testing.assert_array_equal(maps(pickle.loads(pickle.dumps(source)), index)[0], masks[index])
    save(tmp_path / "annotations/training/ADE_1.png", np.full((8, 8), 4, np.uint8))
    assert "holds the number 4 without a name" in reason(crosslens.data(tmp_path), 0)
    (tmp_path / "objectInfo150.txt").write_text("1 wall\n")
    with pytest.raises(ImageError, match=r"objectInfo150.txt.*Idx and Name"):
        crosslens.data(tmp_path)


def test_arrays_of_several_categories_have_names_for_each():
    images = np.zeros((4, 3, 8, 8), np.float32)
    masks = {"shape": SHAPE, "colour": np.stack([COLOUR, COLOUR], axis=1)}
    source = crosslens.concept_data((images, masks, {"shape": ["disc", "square"], "colour": {1: "red"}}))
    assert source.concepts.names == ("disc", "square", "red")
    np.testing.assert_array_equal(maps(source, 2), [SHAPE[2], 3 * COLOUR[2], 3 * COLOUR[2]])
    below = crosslens.concept_data((images, SHAPE.astype(int) - 1, ["disc", "square"]))
    assert "holds the number -1 without a name" in reason(below, 0)
    with pytest.raises(ImageError, match=r"'colour' has none"):
        crosslens.concept_data((images, masks, {"shape": ["disc", "square"]}))
    with pytest.raises(ImageError, match=r"int64 of shape|for 3 images they are whole numbers"):
        crosslens.concept_data((images[:3], SHAPE, ["disc", "square"]))
    with pytest.raises(ImageError, match=r"float64 of shape"):
        crosslens.concept_data((images, SHAPE / 2, ["disc", "square"]))
    with pytest.raises(ImageError, match=r"give the file, instances.json, with it"):
        crosslens.concept_data((images, SHAPE, ["disc", "square"]), pictures="x")
