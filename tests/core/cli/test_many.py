"""`crosslens run` on many pictures: an output for each, an index, and going on; or one result of all; or stdout."""

import json
from io import BytesIO

import crosslens
import numpy as np
import pytest
from crosslens.testing import TinyModel
from PIL import Image


@pytest.fixture
def photos(tmp_path):
    """Five pictures of two classes."""
    for seed, name in enumerate(("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png", "dog/3.jpg")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (20, 24, 3), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


def index(folder):
    return [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]


def test_each_picture_gets_the_output_and_the_figures_that_it_gets_alone(command, tiny, photos, tmp_path):
    done = command("run", "grad_cam", tiny, photos, "-o", tmp_path / "maps")
    assert done.exit_code == 0, done.output
    records = index(tmp_path / "maps")
    assert [each["name"] for each in records] == ["cat/1", "cat/2", "dog/1", "dog/2", "dog/3"]
    assert [each["folder"] for each in records] == ["cat", "cat", "dog", "dog", "dog"]
    for record in records:
        alone = tmp_path / "alone.png"
        said = json.loads(command("run", "grad_cam", tiny, record["file"], "--json", "-o", alone).stdout)
        assert record["class"] == said["target"]["class"]
        assert record["label"] == said["target"]["label"]
        assert record["probability"] == pytest.approx(said["target"]["probability"], rel=1e-5)
        assert record["score"] == pytest.approx(said["score"], rel=1e-5)
        assert record["layers"] == said["provenance"]["layers"]
        with Image.open(alone) as one, Image.open(tmp_path / "maps" / record["outputs"][0]) as same:
            assert np.abs(np.int16(one) - np.int16(same)).max() <= 1


def test_finished_pictures_are_skipped_until_their_bytes_change(command, tiny, photos, tmp_path):
    given = ("run", "gradient", tiny, photos, "-o", tmp_path / "maps")
    assert command(*given).exit_code == 0
    (tmp_path / "maps/cat/2.png").unlink()
    Image.new("RGB", (9, 9), (200, 10, 10)).save(photos / "dog/1.png")
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "maps").rglob("*/*.png")}
    done = command(*given)
    assert done.exit_code == 0, done.output
    assert "3 of 5 pictures are finished already" in done.stderr
    changed = {
        path.relative_to(tmp_path / "maps").as_posix() for path in written if path.stat().st_mtime_ns != written[path]
    }
    assert changed == {"dog/1.png"}
    assert (tmp_path / "maps/cat/2.png").exists()
    assert len(index(tmp_path / "maps")) == 5


def test_another_setting_is_refused_with_what_differs_and_again_replaces(command, tiny, photos, tmp_path):
    given = ("run", "gradient", tiny, photos, "-o", tmp_path / "maps")
    assert command(*given).exit_code == 0
    done = command(*given, "--target", "3")
    assert done.exit_code == 1
    assert 'target: "logit(predicted class)" there, "logit(3)" now' in done.stderr
    assert "--again" in done.stderr
    assert command(*given, "--target", "3", "--again").exit_code == 0
    assert {each["class"] for each in index(tmp_path / "maps")} == {3}


def test_bad_pictures_are_listed_and_the_others_done(command, tiny, photos, tmp_path):
    (photos / "cat/0.png").write_bytes(b"no picture")
    done = command("run", "grad_cam", tiny, photos, "gone.png", "-o", tmp_path / "maps")
    assert done.exit_code == 4, done.output
    assert "grad_cam of crosslens.testing:TinyModel on 5 of 7 pictures" in done.stdout
    failed = [line for line in done.stderr.splitlines() if line.startswith("Failed: ")]
    assert [("is not a picture" in line, "does not exist" in line) for line in failed] == [(True, False), (False, True)]
    assert ["error" in each for each in index(tmp_path / "maps")] == [True, *[False] * 5, True]


def test_notes_are_told_once_with_their_number(command, module, photos, tmp_path):
    name = module(
        "from crosslens.testing import TinyModel\n"
        "def dead():\n    model = TinyModel(relu=True)\n"
        "    model._parameters['conv2']['bias'] -= 100\n    return model"
    )
    done = command("run", "grad_cam", f"{name}:dead", photos, "-o", tmp_path / "maps")
    notes = [line for line in done.stderr.splitlines() if line.startswith("Note")]
    assert notes == list(dict.fromkeys(notes))
    assert any(line.startswith("Note (5 of 5 pictures): 1 of 1 maps are zero everywhere") for line in notes)


def test_pictures_of_one_name_do_not_overwrite_one_another(command, tiny, photos, tmp_path):
    files = [photos / "cat/1.png", photos / "dog/1.png", photos / "dog/2.png"]
    Image.open(photos / "dog/2.png").save(photos / "dog/2.jpg")
    done = command("run", "gradient", tiny, *files, photos / "dog/2.jpg", "-o", tmp_path / "maps")
    assert done.exit_code == 0, done.output
    outputs = [each["outputs"] for each in index(tmp_path / "maps")]
    assert outputs == [["cat/1.png"], ["dog/1.png"], ["dog/2.png.png"], ["dog/2.jpg.png"]]


def test_a_pattern_that_the_shell_did_not_replace_means_its_pictures(command, tiny, photos, tmp_path):
    (photos / "dog/notes.txt").write_text("not a picture")
    done = command("run", "gradient", tiny, f"{photos}/dog/*", "-o", tmp_path / "maps", "--json")
    said = json.loads(done.stdout)
    assert [each["name"] for each in said["pictures"]] == ["1", "2", "3"]
    assert "no picture fits the pattern" in command("run", "gradient", tiny, "gone/*.png", "-o", tmp_path / "x").stderr


def test_one_file_holds_all_pictures_with_names_and_classes(command, tiny, photos, tmp_path):
    assert command("run", "gradient", tiny, photos, "-o", tmp_path / "all.npz").exit_code == 0
    images = [crosslens.load_image(path, like=TinyModel()) for path in sorted(photos.glob("*/*"))]
    expected = crosslens.method("gradient")(TinyModel(), np.concatenate(images))
    with np.load(tmp_path / "all.npz") as saved:
        np.testing.assert_allclose(saved["values"], expected.values, rtol=1e-4, atol=1e-7)
        pictures = json.loads(str(saved["record"]))["provenance"]["pictures"]
    output = TinyModel().forward(np.concatenate(images))[crosslens.OUTPUT]
    assert [each["class"] for each in pictures] == output.argmax(axis=1).tolist()
    assert [each["name"] for each in pictures] == ["cat/1", "cat/2", "dog/1", "dog/2", "dog/3"]


def test_a_method_that_measures_gives_its_figures_for_each_picture(command, tiny, photos, tmp_path):
    done = command("run", "deletion", tiny, photos, "--steps", "4", "-o", tmp_path / "scores/")
    assert done.exit_code == 0, done.output
    for record in index(tmp_path / "scores"):
        (area,) = record["figures"].values()
        with np.load(tmp_path / "scores" / record["outputs"][0]) as saved:
            curve = saved["values"][0, 0]
        places = np.linspace(0, 1, len(curve))
        assert area == pytest.approx(np.trapezoid(curve, places), rel=1e-2)


def test_pictures_are_dreamed_one_by_one_at_their_own_size(command, tiny, photos, tmp_path):
    done = command(
        "run", "deep_dream", tiny, photos / "cat", "--steps", "1", "--octaves", "1", "-o", tmp_path / "dreams/"
    )
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "dreams/1.png") as dream:
        assert dream.width / dream.height == pytest.approx(24 / 20, rel=1e-2)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["-o", "FOLDER"], "is read and written to"),
        (["-o", "FILE/"], "is a file"),
        (["-o", "FILE/deeper/"], "is a file"),
        (["-o", "maps.bmp"], "its name must end in .png or"),
        (["-o", "new.png", "--format", "npz"], "--format says what is written into a folder"),
        (["-o", "new.png", "--again"], "--again is for -o FOLDER/"),
        (["-o", "-", "--json"], "both write to stdout"),
        (["-o", "OUT/", "--layer", "conv3"], "no layer 'conv3' in this model"),
        (["-o", "OUT/", "--target", "9"], "target 9 is out of range"),
    ],
)
def test_what_is_wrong_is_one_line_before_any_work(command, tiny, photos, tmp_path, args, text):
    places = {"FOLDER": photos, "FILE": photos / "cat/1.png", "OUT": tmp_path / "out"}
    words = [
        next((each.replace(name, str(path)) for name, path in places.items() if name in each), each) for each in args
    ]
    done = command("run", "grad_cam", tiny, photos, *words)
    assert done.exit_code == 1, done.output
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert text in done.stderr


def test_an_output_never_replaces_a_picture(command, tiny, photos):
    before = (photos / "dog/1.png").read_bytes()
    done = command("run", "gradient", tiny, photos / "dog/1.png", photos / "dog/2.png", "-o", photos / "dog")
    assert done.exit_code == 1
    assert "where it would be lost" in done.stderr
    assert (photos / "dog/1.png").read_bytes() == before


def test_outputs_in_a_folder_inside_the_pictures_are_no_pictures(command, tiny, photos):
    for _ in range(2):
        done = command("run", "gradient", tiny, photos, "-o", photos / "maps")
        assert done.exit_code == 0, done.output
        assert len(index(photos / "maps")) == 5


def test_a_picture_goes_to_stdout_and_the_text_to_stderr(command, tiny, picture, tmp_path):
    done = command("run", "grad_cam", tiny, picture, "-o", "-")
    assert done.exit_code == 0, done.output
    command("run", "grad_cam", tiny, picture, "-o", tmp_path / "same.png")
    with Image.open(BytesIO(done.stdout_bytes)) as piped, Image.open(tmp_path / "same.png") as same:
        np.testing.assert_array_equal(np.asarray(piped), np.asarray(same))
    assert "explained: " in done.stderr


def test_the_format_says_what_goes_to_stdout(command, tiny, picture):
    done = command("run", "gradient", tiny, picture, "-o", "-", "--format", "npz")
    with np.load(BytesIO(done.stdout_bytes)) as saved:
        assert saved["values"].shape == (1, 3, 8, 8)


JOINT = ("run", "semantic_dictionary", "--icons", "none")


def test_pictures_that_are_taken_together_leave_out_one_that_cannot_be_read_and_list_it(
    command, tiny, photos, tmp_path
):
    (photos / "dog/2.png").write_bytes(b"no picture")
    done = command(*JOINT, tiny, photos, "-o", tmp_path / "groups.npz")
    assert done.exit_code == 4, done.output
    assert "Failed: " in done.stderr
    assert "dog/2.png' is not a picture" in done.stderr
    assert len(crosslens.load(tmp_path / "groups.npz")) == 4


def test_pictures_of_several_predicted_classes_are_not_said_to_be_of_the_first_one(command, tiny, photos):
    said = json.loads(command(*JOINT, tiny, photos, "--json").stdout)
    assert said["target"] == {}
    assert len(said["figures"]["targets"].split(", ")) == 5
    named = json.loads(command(*JOINT, tiny, photos, "--target", "2", "--json").stdout)
    assert named["target"]["class"] == 2
