"""Start-up lines of compiled libraries stay off stderr; everything else arrives, also from a process that dies."""

import subprocess
import sys

import pytest

STARTUP = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1795906652.690501   29541 port.cc:153] oneDNN custom operations are on. You may see slightly",
    "I0000 00:00:1795906652.690788   29541 cudart_stub.cc:31] Could not find cuda drivers on your machine",
    "W0000 00:00:1795906652.690788   29541 computation_placer.cc:177] computation placer already registered.",
    "E0000 00:00:1729074921.354283   13414 cuda_dnn.cc:8310] Unable to register cuDNN factory: already registered",
    "2024-05-01 10:00:00.123456: I tensorflow/core/util/port.cc:113] oneDNN custom operations are on.",
    "2024-05-01 10:00:00.123456: E external/local_xla/xla/stream_executor/cuda/cuda_dnn.cc:9261] Unable to register",
    "To enable the following instructions: AVX2 FMA, in other operations, rebuild with the appropriate compiler flags.",
]
KEPT = [
    "E0000 00:00:1795906652.690501   29541 allocator.cc:1] out of memory",
    "F0000 00:00:1795906652.690501   29541 check.cc:7] Check failed: n > 0",
    "2024-05-01 10:00:00.123456: F tensorflow/core/platform/check.cc:7] Check failed: n > 0",
    "terminate called after throwing an instance of 'std::bad_alloc'",
    "I am a line of a library",
]


def run(code, **variables):
    """A fresh process that writes to the file descriptor, as C++ does."""
    before = "import os, sys, subprocess\nfrom crosslens.execution.native_log import filter_native_log\n"
    before += "def native(lines): os.write(2, '\\n'.join([*lines, '']).encode())\n"
    said = f"STARTUP = {STARTUP!r}\nKEPT = {KEPT!r}\n"
    words = [sys.executable, "-c", before + said + code]
    return subprocess.run(words, capture_output=True, text=True, check=False, env={"PATH": "", **variables})


def test_startup_lines_are_left_out_and_all_others_arrive():
    done = run("with filter_native_log(): native(STARTUP + KEPT + STARTUP)\nnative(STARTUP[:1])")
    assert done.stderr.splitlines() == KEPT + STARTUP[:1]


def test_notes_of_python_are_never_lost_among_them():
    code = "with filter_native_log():\n for line in STARTUP:\n  native([line]); print('Note:', line, file=sys.stderr)"
    assert run(code).stderr.splitlines() == [f"Note: {line}" for line in STARTUP]


def test_what_a_library_says_before_it_dies_is_not_lost():
    done = run("with filter_native_log():\n native(STARTUP + KEPT)\n os.abort()")
    assert done.returncode < 0
    assert done.stderr.splitlines() == KEPT


def test_processes_started_in_between_are_filtered_too():
    code = (
        "code = f'import os; os.write(2, {chr(10).join(STARTUP + KEPT + [\"\"]).encode()!r})'\n"
        "with filter_native_log(): subprocess.run([sys.executable, '-c', code])"
    )
    assert run(code).stderr.splitlines() == KEPT


@pytest.mark.parametrize("level", ["0", "1"])
def test_who_asks_for_the_log_gets_it(level):
    done = run("with filter_native_log(): native(STARTUP)", TF_CPP_MIN_LOG_LEVEL=level)
    assert done.stderr.splitlines() == STARTUP


def test_an_error_passes_through_with_its_traceback():
    done = run("with filter_native_log():\n native(STARTUP); raise ValueError('mine')")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("ValueError: mine\n")


def test_keras_starts_without_a_word():
    pytest.importorskip("keras")
    code = (
        "import sys; sys.argv = ['crosslens', 'layers', 'demo:xception_keras']; from crosslens.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == "preprocessing: scale=2,mean=1,order=L (the demo network's own)\n"
    assert "predictions" in done.stdout
