"""`crosslens run` of a method over a data set: a folder of pictures in, a table out."""

import json
from io import BytesIO

import crosslens
import numpy as np
import pytest
from crosslens.testing import TinyModel
from PIL import Image


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(("cat/1.png", "cat/2.png", "dog/1.png")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (20, 24, 3), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


def test_it_prints_the_table_and_writes_that_of_the_python_call(command, tiny, folder, tmp_path):
    done = command("run", "mean_activation", tiny, folder, "-o", tmp_path / "means.npz")
    assert done.exit_code == 0, done.output
    said = done.stdout.splitlines()
    assert said[0] == f"mean_activation of {tiny} over 3 of 3 images in {folder}"
    assert said[1:3] == ["layer: act2 (the default)", "unit  mean"]
    expected = crosslens.method("mean_activation")(TinyModel(), crosslens.data(folder))
    assert said[3].split() == ["0", f"{expected.columns['mean'][0]:.4g}"]
    with np.load(tmp_path / "means.npz") as saved:
        np.testing.assert_array_equal(saved["mean"], expected.columns["mean"])
        source = json.loads(str(saved["record"]))["provenance"]["source"]
    assert (source["digest"], source["read"], source["failures"]) == (crosslens.data(folder).digest, 3, [])


def test_some_bad_pictures_are_a_note_and_exit_code_4(command, tiny, folder):
    (folder / "dog/2.png").write_bytes(b"no picture")
    done = command("run", "mean_activation", tiny, folder, "--json")
    assert done.exit_code == 4
    assert "Note: 1 of 4 images could not be read and are left out: dog/2.png" in done.stderr
    said = json.loads(done.stdout)
    assert [each["id"] for each in said["provenance"]["source"]["failures"]] == ["dog/2.png"]
    assert len(said["columns"]["mean"]) == 6


def test_data_is_whatever_a_text_names_and_the_table_any_file(command, tiny, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = np.concatenate([crosslens.load_image(each, like=TinyModel()) for each in sorted(folder.rglob("*.png"))])
    np.savez("x.npz", images=images)
    (tmp_path / "data_of_a_test.py").write_text(
        "import numpy as np\n\ndef make():\n    return np.load('x.npz')['images']\n"
    )
    np.savez("more.npz", x=images, z=images)
    for data in ("x.npz", "data_of_a_test:make", "more.npz:z", "photos", "photos/**/*.png"):
        assert command("run", "mean_activation", tiny, data, "-o", "t.csv").exit_code == 0
        values = np.genfromtxt("t.csv", delimiter=",", names=True)["mean"]
        expected = crosslens.method("mean_activation")(TinyModel(), images).columns["mean"]
        np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_several_files_are_one_source_and_folders_are_refused_in_one_line(command, tiny, folder, tmp_path):
    files = [folder / "dog/1.png", folder / "cat/1.png"]
    done = command("run", "mean_activation", tiny, *files, "-o", tmp_path / "t.csv")
    assert done.exit_code == 0, done.output
    assert "over 2 of 2 images" in done.stdout
    images = np.concatenate([crosslens.load_image(each, like=TinyModel()) for each in files])
    values = np.genfromtxt(tmp_path / "t.csv", delimiter=",", names=True)["mean"]
    expected = crosslens.method("mean_activation")(TinyModel(), images).columns["mean"]
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    refused = command("run", "mean_activation", tiny, folder / "dog", folder / "cat")
    assert refused.exit_code in {1, 4}
    assert "Traceback" not in refused.output


def test_workers_give_the_bits_of_one(command, tiny, folder, tmp_path):
    saved = []
    for number in (1, 2):
        path = tmp_path / f"{number}.npz"
        done = command("run", "mean_activation", tiny, folder, "--workers", number, "-o", path)
        assert done.exit_code == 0, done.output
        saved.append(crosslens.load(path)["mean"].tobytes())
    assert saved[0] == saved[1]


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["gone"], "'gone' does not exist; data is a folder of pictures"),
        (["FOLDER/cat/1.*", "--resize", "pad", "--crop", "0.5"], "--crop 0.5 means nothing with --resize pad"),
        (["EMPTY"], "hold no picture; files that end in"),
        (["FOLDER", "--layer", "conv3"], "no layer 'conv3' in this model (8 layers). Did you mean"),
        (["FOLDER", "-o", "means.png"], "cannot write 'means.png': its name must end in .npz or .csv or .parquet"),
    ],
)
def test_what_is_wrong_is_one_line(command, tiny, folder, tmp_path, args, text):
    (tmp_path / "empty").mkdir()
    words = [each.replace("FOLDER", str(folder)).replace("EMPTY", str(tmp_path / "empty")) for each in args]
    done = command("run", "mean_activation", tiny, *words)
    assert done.exit_code == 1
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["compare", "search"])
def test_commands_on_single_images_refuse_it_and_do_not_list_it(command, tiny, name):
    done = command(name, "mean_activation", tiny, tiny)
    assert done.exit_code == 1
    assert "mean_activation works over a data set, not on single images" in done.stderr
    assert "mean_activation" not in command(name, "--help").stdout


def test_listings_mark_it_as_over_a_data_set(command):
    listing = command("methods").stdout
    (line,) = [line for line in listing.splitlines() if "mean_activation" in line]
    assert line.startswith("+ ")
    assert "+ runs over a data set, such as a folder of pictures" in listing
    assert (
        "crosslens run mean_activation MODEL DATA -o mean_activation.npz"
        in command("methods", "mean_activation").stdout
    )
    assert json.loads(command("methods", "mean_activation", "--json").stdout)["over"] == "data set"


def test_examples_are_written_as_a_page_and_the_best_of_each_kind_printed(command, tiny, folder, tmp_path):
    done = command("run", "top_examples", tiny, folder, "--units", "1,3", "-o", tmp_path / "page.png")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[2].split() == ["layer", "unit", "kind", "value", "id", "position"]
    with Image.open(tmp_path / "page.png") as page:
        assert page.size[0] > 200
    done = command("run", "top_examples", tiny, folder, "--kinds", "least", "--json")
    assert set(json.loads(done.stdout)["columns"]["kind"]) == {"least"}


def test_neighbours_of_pictures_from_elsewhere_also_by_an_earlier_file(command, tiny, folder, picture, tmp_path):
    words = ("run", "nearest_neighbours", tiny)
    asked = ("--count", 2, "--query", f"{picture},dog/1.png")
    made = command(*words, folder, *asked, "-o", tmp_path / "sheet.png")
    assert made.exit_code == 0, made.output
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 200
    command(*words, folder, "--count", 1, "-o", tmp_path / "old.npz")
    again = command(*words, tmp_path / "old.npz", *asked)
    table = made.stdout.splitlines()[1:-1]
    assert again.stdout.splitlines()[1:-1] == table
    assert table[1].split() == ["image", "label", "neighbour", "its", "label", "distance", "agreeing"]
    assert [line.split()[0] for line in table[2:6:2]] == [str(picture), "dog/1.png"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--resize", "pad"), "leave --resize out"),
        (("--layer", "act1"), "of layer 'act2', not of 'act1': leave --layer out"),
        (
            ("--query", "dog/2.png"),
            "no image of the data that can be read has this id, and no such file exists. Did you mean",
        ),
    ],
)
def test_an_earlier_file_refuses_what_it_cannot_answer(command, tiny, folder, tmp_path, options, said):
    old = tmp_path / "old.npz"
    command("run", "nearest_neighbours", tiny, folder, "--count", 1, "-o", old)
    done = command("run", "nearest_neighbours", tiny, old, "--count", 1, *options)
    assert done.exit_code == 1
    assert said in done.stderr


def test_a_result_that_cannot_be_drawn_is_kept_whole(command, tiny, tmp_path):
    assert command("shapes", "-o", tmp_path / "shapes", "--count", 3, "--size", 16).exit_code == 0
    done = command("run", "dissect", tiny, tmp_path / "shapes", "--examples", 0, "-o", tmp_path / "d.png")
    assert done.exit_code == 1
    assert f"'{tmp_path / 'd.png.npz'}' holds the result" in done.stderr
    assert len(crosslens.load(tmp_path / "d.png.npz")) == 6


@pytest.mark.parametrize("ending", ["csv", "npz"])
def test_a_dash_writes_the_files_bytes_to_stdout_and_the_text_to_stderr(ending, command, tiny, folder, tmp_path):
    file = tmp_path / f"means.{ending}"
    assert command("run", "mean_activation", tiny, folder, "-o", file).exit_code == 0
    done = command("run", "mean_activation", tiny, folder, "-o", "-", "--format", ending)
    assert done.exit_code == 0
    assert "written: stdout" in done.stderr
    if ending == "csv":
        assert done.stdout_bytes == file.read_bytes()
    else:
        with np.load(BytesIO(done.stdout_bytes)) as piped, np.load(file) as saved:
            np.testing.assert_array_equal(piped["mean"], saved["mean"])


@pytest.mark.parametrize("options", [("-o", "-", "--json"), ("-o", "x.npz", "--format", "csv"), ("--format", "csv")])
def test_options_of_stdout_without_effect_are_refused(options, command, tiny, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = command("run", "mean_activation", tiny, folder, *options)
    assert done.exit_code == 1
    assert "stdout" in done.stderr
