"""A command never writes over what it reads, under whatever name: the file is lost before anybody is asked."""

import json
import os

import pytest
from crosslens.cli import cli
from crosslens.cli._options.files import Writable
from crosslens.cli._options.writing import WritingCommand


def refused(done, path, before, flag="-o"):
    assert done.exit_code == 1, done.output
    assert "is read by this command" in done.stderr
    assert f"give {flag} another name" in done.stderr
    assert path.read_bytes() == before


def test_the_picture_that_is_explained_is_not_written_over(command, tiny, picture):
    before = picture.read_bytes()
    refused(command("run", "gradient", tiny, picture, "-o", picture), picture, before)


def test_another_name_of_the_picture_is_the_picture(command, tiny, picture, tmp_path):
    before = picture.read_bytes()
    (tmp_path / "folder").mkdir()
    for link, make in (("soft.png", os.symlink), ("hard.png", os.link)):
        make(picture, tmp_path / link)
        refused(command("run", "gradient", tiny, picture, "-o", tmp_path / link), picture, before)
    refused(command("run", "gradient", tiny, picture, "-o", tmp_path / "folder" / ".." / picture.name), picture, before)


def test_a_picture_of_a_folder_that_is_read_is_not_written_over(command, tiny, picture, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    one = folder / "one.png"
    one.write_bytes(picture.read_bytes())
    before = one.read_bytes()
    refused(command("run", "gradient", tiny, folder, "-o", one), one, before)
    done = command("run", "gradient", tiny, folder, "-o", folder / "new.png")
    assert "the next call would take it for a picture" in done.stderr
    assert done.exit_code == 1
    assert command("run", "gradient", tiny, folder, "-o", folder / "out/").exit_code == 0


def test_labels_are_not_written_over(command, tiny, picture, tmp_path):
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(list("abcde")))
    before = labels.read_bytes()
    done = command(*("compare", "gradient", tiny, tiny, "--images", picture), "--labels", labels, "--json", labels)
    refused(done, labels, before, "--json")
    done = command(*("compare", "gradient", tiny, tiny, "--images", picture), "--labels", labels, "-o", labels)
    refused(done, labels, before)


def test_a_search_does_not_write_over_its_picture(command, tiny, picture):
    before = picture.read_bytes()
    refused(command("search", "deep_dream", tiny, picture, "--trials", "1", "-o", picture), picture, before)


def test_what_is_written_beside_the_output_is_not_the_picture_either(command, tiny, tmp_path, picture):
    """dream.png brings dream-0016.png and dream-masked.png along."""
    beside = tmp_path / "dream-masked.png"
    beside.write_bytes(picture.read_bytes())
    before = beside.read_bytes()
    done = command("run", "deep_dream", tiny, beside, "-o", tmp_path / "dream.png")
    refused(done, beside, before)


def test_a_new_name_is_written(command, tiny, picture, tmp_path):
    assert command("run", "gradient", tiny, picture, "-o", tmp_path / "new.png").exit_code == 0
    assert (tmp_path / "new.png").exists()


@pytest.mark.parametrize(
    "name",
    [
        "align",
        "checkpoints",
        "compare",
        "demo",
        "diverge",
        "doctor",
        "layers",
        "run",
        "search",
        "train-style",
        "transfer",
    ],
)
def test_every_command_that_writes_looks_first(name):
    import click

    context = click.Context(cli)
    group = cli.get_command(context, name)
    inner = [group.get_command(context, method) for method in ("gradient", "deep_dream")] if name in {"run"} else []
    commands = [group, *inner]
    for each in commands:
        writes = any(isinstance(p.type, Writable) for p in each.params)
        assert not writes or isinstance(each, WritingCommand), each.name


FOREIGN = [
    (".png", b"\x89PNG mine"), (".jpg", b"\xff\xd8 mine"), (".npz", b"PK mine"), (".webp", b"RIFF mine"),
]  # fmt: skip


@pytest.mark.parametrize(("ending", "content"), FOREIGN)
def test_a_file_of_the_users_own_is_replaced_with_overwrite_only_and_one_of_ours_always(
    command, tiny, picture, tmp_path, ending, content
):
    out = tmp_path / f"mine{ending}"
    out.write_bytes(content)
    words = ("run", "gradient", tiny, picture, "-o", out)
    done = command(*words)
    assert (done.exit_code, out.read_bytes()) == (1, content)
    assert done.stderr == (
        f"Error: '{out}' exists, and crosslens did not write it: give -o another name, or replace it with --overwrite\n"
    )
    assert command(*words, "--overwrite").exit_code == 0
    first = out.read_bytes()
    assert first != content
    assert command(*words).exit_code == 0


def test_overwrite_does_not_replace_what_is_read(command, tiny, picture):
    before = picture.read_bytes()
    refused(command("run", "gradient", tiny, picture, "-o", picture, "--overwrite"), picture, before)


def test_a_table_is_replaced_by_one_of_the_same_columns_only(command, tiny, picture, tmp_path):
    """A .csv has no place for a mark: its first line tells."""
    (tmp_path / "photos").mkdir()
    picture.rename(tmp_path / "photos" / "a.png")
    out = tmp_path / "mine.csv"
    out.write_text("mine,yours\n1,2\n")
    words = ("run", "robustness_curve", tiny, tmp_path / "photos", "--eps", "0.1", "-o", out)
    done = command(*words)
    assert (done.exit_code, out.read_text()) == (1, "mine,yours\n1,2\n")
    assert "holds other columns" in done.stderr
    assert command(*words, "--overwrite").exit_code == 0
    assert command(*words).exit_code == 0


def test_two_options_do_not_name_one_file(command, tiny, picture, tmp_path):
    out = tmp_path / "new.json"
    done = command("compare", "gradient", tiny, tiny, "--images", picture, "-o", out, "--json", tmp_path / "NEW.json")
    assert "would be written over each other" in done.stderr
    assert (done.exit_code, out.exists()) == (1, False)


def test_a_folder_of_the_users_own_pictures_keeps_them(command, tiny, picture, tmp_path):
    """The run makes maps/picture.png, where a picture of another program stands: nothing is written there."""
    (tmp_path / "maps").mkdir()
    mine = tmp_path / "maps" / picture.name
    mine.write_bytes(picture.read_bytes())
    done = command("run", "gradient", tiny, picture, "-o", tmp_path / "maps")
    assert (done.exit_code, mine.read_bytes()) == (1, picture.read_bytes())
    assert sorted(path.name for path in mine.parent.iterdir()) == [picture.name]
    assert command("run", "gradient", tiny, picture, "-o", tmp_path / "maps", "--overwrite").exit_code == 0


def test_the_version_is_told(command):
    from importlib.metadata import version

    assert command("--version").stdout == f"crosslens {version('crosslens')}\n"
