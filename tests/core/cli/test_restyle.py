"""`crosslens restyle`: a picture, a folder with an index, an animation, AdaIN by command; and what it refuses."""

import json

import numpy as np
import pytest
from crosslens.image import video
from crosslens.metadata import Metadata
from crosslens.plugins.carried import write_metadata
from crosslens.style_network.spec import StyleSpec
from PIL import Image

DARKER = (
    "import torch\n"
    "import crosslens\n"
    "from torch import nn\n"
    "def half():\n"
    "    net = nn.Conv2d(3, 3, 1, groups=3, bias=False)\n"
    "    nn.init.constant_(net.weight, 0.5)\n"
    "    return crosslens.wrap(net, preprocess=None)\n"
    "def encoder():\n"
    "    return crosslens.wrap(nn.Sequential(nn.Identity(), nn.AvgPool2d(2)), preprocess=None)\n"
    "def decoder():\n"
    "    net = nn.Sequential(nn.Upsample(scale_factor=2), nn.Identity())\n"
    "    return crosslens.wrap(net, preprocess=None, input_shape=(3, None, None))\n"
)


@pytest.fixture
def models(module):
    return module(DARKER)


@pytest.fixture(params=["gif", "webp"])
def film(tmp_path, request):
    """Four frames, a colour each, of other durations."""
    frames = [Image.new("RGB", (24, 18), (60 * n, 200 - 40 * n, 100)) for n in range(4)]
    durations = [40, 200, 70, 110]
    path = tmp_path / f"film.{request.param}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return path


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_a_picture_of_any_size_is_restyled(command, models, picture, tmp_path):
    done = command("restyle", f"{models}:half", picture, "-o", tmp_path / "x.png")
    assert done.exit_code == 0, done.output
    assert f"written: {tmp_path / 'x.png'}" in done.stdout
    assert np.abs(2 * pixels(tmp_path / "x.png") - pixels(picture)).max() <= 1


def test_a_folder_becomes_a_folder_with_an_index_and_goes_on(command, models, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, size in {"a": (20, 30), "b": (33, 12)}.items():
        Image.new("RGB", size, (90, 120, 30)).save(folder / f"{name}.png")
    (folder / "c.png").write_bytes(b"no picture")
    given = ("restyle", f"{models}:half", folder, "-o", tmp_path / "out")
    done = command(*given)
    assert done.exit_code == 4, done.output
    records = [json.loads(line) for line in (tmp_path / "out/index.jsonl").read_text().splitlines()]
    assert [("error" in each, each["name"]) for each in records] == [(False, "a"), (False, "b"), (True, "c")]
    assert pixels(tmp_path / "out/b.png").shape == (12, 33, 3)
    assert "2 of 3 pictures are finished already" in command(*given).stderr
    one = command(*given[:-1], tmp_path / "one.png")
    assert "pictures of different sizes" in one.stderr


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_an_animation_keeps_its_frames_and_their_durations(command, models, film, tmp_path, suffix):
    done = command("restyle", f"{models}:half", film, "-o", tmp_path / f"x{suffix}")
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / f"x{suffix}") as made:
        assert made.n_frames == 4
        durations, colours = [], []
        for n in range(4):
            made.seek(n)
            made.load()
            durations.append(made.info["duration"])
            colours.append(np.asarray(made.convert("RGB")).mean((0, 1)))
    assert durations == [40, 200, 70, 110]
    wanted = [(30 * n, 100 - 20 * n, 50) for n in range(4)]
    np.testing.assert_allclose(colours, wanted, atol=4)


def test_an_mp4_of_one_rate_shows_each_frame_as_long_as_the_film_did(command, models, film, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(video, "_film", lambda frames, path, step: shown.extend([len(frames), step]))
    monkeypatch.setattr("crosslens.cli._options.files.find_ffmpeg", lambda path: "ffmpeg")
    done = command("restyle", f"{models}:half", film, "-o", tmp_path / "x.mp4")
    assert done.exit_code == 0, done.output
    assert shown == [(40 + 200 + 70 + 110) // 10, 10]


def test_an_animation_becomes_a_folder_of_frames(command, models, film, tmp_path):
    assert command("restyle", f"{models}:half", film, "-o", f"{tmp_path}/frames/").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "frames").iterdir()) == [f"film-{n:04d}.png" for n in (1, 2, 3, 4)]


def test_any_style_by_encoder_and_decoder(command, models, picture, film, tmp_path):
    words = ("restyle", f"{models}:decoder", picture, "--encoder", f"{models}:encoder", "--layer", "1")
    Image.new("RGB", (40, 40), (200, 100, 50)).save(tmp_path / "style.png")
    done = command(*words, "--style", tmp_path / "style.png", "-o", tmp_path / "x.png")
    assert done.exit_code == 0, done.output
    assert "layer: 1" in done.stdout
    np.testing.assert_allclose(pixels(tmp_path / "x.png").mean((0, 1)), (200, 100, 50), atol=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--style", "x.png"], "--style is for AdaIN, where MODEL is a decoder: give --encoder MODEL"),
        (["--layer", "1"], "--layer is for AdaIN"),
        (["--encoder", "demo:lite0"], "--encoder is given without --style PICTURE"),
        (["--styles", "3"], "no input 'style_weights' to choose among styles"),
        (["--strength", "2"], "strength"),
        (["--colours", "mine"], "colours"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(command, models, picture, tmp_path, words, said):
    done = command("restyle", f"{models}:half", picture, *words, "-o", tmp_path / "x.png")
    assert done.exit_code in {1, 2}
    assert said in done.stderr
    assert not (tmp_path / "x.png").exists()


def test_a_still_of_an_animation_is_refused(command, models, film, tmp_path):
    done = command("restyle", f"{models}:half", film, "-o", tmp_path / "x.png")
    assert "is an animation, and" in done.stderr
    done = command("restyle", f"{models}:half", film, film, "-o", tmp_path / "x.gif")
    assert "which is restyled alone" in done.stderr


def test_a_classifier_is_refused(command, tiny, picture, tmp_path):
    done = command("restyle", tiny, picture, "-o", tmp_path / "x.png")
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "makes pictures of pictures" in done.stderr


def test_a_decoder_alone_is_refused(command, picture, tmp_path):
    (tmp_path / "decoder.pt2").write_bytes(b"a network")
    style = StyleSpec(kind="decoder", norm="none", code=(3, 2), encoder="vgg16.onnx", layer="1")
    write_metadata(tmp_path / "decoder.pt2", Metadata(style=style))
    done = command("restyle", tmp_path / "decoder.pt2", picture, "-o", tmp_path / "x.png")
    assert "is a decoder of features: give --encoder vgg16.onnx and --style PICTURE" in done.stderr
