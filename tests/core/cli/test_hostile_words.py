"""What is typed and what files hold is printed in one line that cannot act on the terminal."""

import json
import re

import pytest

LONG = "x" * 100_000


@pytest.mark.parametrize(
    "words",
    [
        [LONG],
        [f"--{LONG}"],
        ["run", LONG],
        ["run", "gradient", f"--{LONG}"],
        ["run", "smooth_grad", "MODEL", "PICTURE", f"--samples={'0' * 10_000}"],
        ["run", "gradient", "MODEL", "PICTURE", f"--target={LONG}"],
        ["run", "gradient", "MODEL", "PICTURE", "-o", f"{LONG}.png"],
        ["run", "gradient", "MODEL", LONG],
        ["run", "gradient", LONG, "PICTURE"],
        ["run", "gradient", "MODEL", "PICTURE", f"--labels={LONG}"],
        ["layers", "\x1b[31mred.onnx"],
        ["run", "gradient", "MODEL", "two\nlines.png"],
        ["run", "gradient", "MODEL", "PICTURE", "--bands", "9" * 5000],
        ["run", "gradient", "MODEL", "PICTURE", "--input-shape", f"{'9' * 5000},8,8"],
    ],
    ids=range(14),
)
def test_a_hostile_word_is_answered_in_one_short_line(command, tiny, picture, words):
    words = [{"MODEL": tiny, "PICTURE": str(picture)}.get(word, word) for word in words]
    done = command(*words)
    assert done.exit_code in {1, 2}
    (error,) = [line for line in done.stderr.splitlines() if not line.startswith(("Usage:", "Try "))][-1:]
    assert error.startswith("Error: ")
    assert len(done.stderr) < 2500
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stderr)


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(["\x1b[31mred", "two\nlines", LONG, "\u202eabc", "e"]))
    return path


@pytest.mark.parametrize("target", range(4))
def test_labels_of_a_file_are_escaped_in_text_and_exact_in_json(command, tiny, picture, labels, target):
    done = command("run", "gradient", tiny, picture, f"--labels={labels}", f"--target={target}")
    assert done.exit_code == 0
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.stdout + done.stderr)
    assert max(map(len, done.stdout.splitlines())) < 11_000
    exact = command("run", "gradient", tiny, picture, f"--labels={labels}", f"--target={target}", "--json").stdout
    assert json.loads(exact)["target"]["label"] == json.loads(labels.read_text())[target]
