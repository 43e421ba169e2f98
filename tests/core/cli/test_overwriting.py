"""A command never writes over what it reads, under whatever name: the file is lost before anybody is asked."""

import json
import os

import pytest
from crosslens.cli import cli
from crosslens.cli._options.files import Writable, WritingCommand


def refused(done, path, before):
    assert done.exit_code == 1, done.output
    assert "is read by this command" in done.stderr
    assert "give -o another name" in done.stderr
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
    assert command("run", "gradient", tiny, folder, "-o", folder / "new.png").exit_code == 0


def test_labels_are_not_written_over(command, tiny, picture, tmp_path):
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(list("abcde")))
    before = labels.read_bytes()
    done = command(*("compare", "gradient", tiny, tiny, "--images", picture), "--labels", labels, "--json", labels)
    refused(done, labels, before)
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


@pytest.mark.parametrize("name", ["align", "compare", "demo", "diverge", "doctor", "layers", "run", "search"])
def test_every_command_that_writes_looks_first(name):
    import click

    context = click.Context(cli)
    group = cli.get_command(context, name)
    inner = [group.get_command(context, method) for method in ("gradient", "deep_dream")] if name in {"run"} else []
    commands = [group, *inner]
    for each in commands:
        writes = any(isinstance(p.type, Writable) for p in each.params)
        assert not writes or isinstance(each, WritingCommand), each.name


def test_the_version_is_told(command):
    from importlib.metadata import version

    assert command("--version").stdout == f"crosslens {version('crosslens')}\n"
