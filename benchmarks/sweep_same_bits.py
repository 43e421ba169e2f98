"""Whether a store's bytes depend on who computes it, and on being killed.

`python -m benchmarks.sweep_same_bits FOLDER/digits.onnx FOLDER/t10k-images-idx3-ubyte` (files of `benchmarks.digits`)
sweeps in this process, then by two processes, on Ray with one and two actors, and twenty times killed by SIGKILL at a
random moment, with its workers, and started again, and compares every file of the stores but `log.jsonl`.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from time import perf_counter, sleep

METHODS = ("top_examples:shown=0", "unit_statistics", "colour_statistics", "mean_attribution")
KILLS = 20
WAYS: Mapping[str, tuple[str, ...]] = {
    "two processes": ("--workers", "2"),
    "Ray, one actor": ("--workers", "1", "--ray"),
    "Ray, two actors": ("--workers", "2", "--ray"),
}


def command(network: str, data: str, folder: Path, *options: str) -> list[str]:
    """A sweep from the shell."""
    sweep = [str(Path(sys.executable).with_name("crosslens")), "sweep", network, data, *METHODS, "-o", str(folder)]
    return [*sweep, "--preprocess", "none", *options]


def run(*given: object) -> float:
    """Run a sweep to its end; the seconds it took."""
    start = perf_counter()
    subprocess.run(command(*given), check=True, capture_output=True)  # type: ignore[arg-type]
    return perf_counter() - start


def digests(folder: Path) -> dict[str, str]:
    """A digest of each file by its path, but of the log and the lock."""
    files = (each for each in sorted(folder.rglob("*")) if each.is_file() and each.name not in {"log.jsonl", ".lock"})
    return {each.relative_to(folder).as_posix(): blake2b(each.read_bytes()).hexdigest() for each in files}


def differing(first: Path, second: Path) -> str:
    """What differs, in words."""
    one, two = digests(first), digests(second)
    names = sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
    return f"{len(one)} files, {'all the same' if not names else f'{len(names)} differ: ' + ', '.join(names[:4])}"


def killed(network: str, data: str, folder: Path, longest: float, *options: str) -> int:
    """Kill a sweep and all its workers, again and again, until it ends before; how often it was killed."""
    rng, count = random.Random(0), 0
    while count < KILLS:
        process = subprocess.Popen(
            command(network, data, folder, *options),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        sleep(rng.uniform(1.5, longest))
        if process.poll() is not None:
            shutil.rmtree(folder)
            continue
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        count += 1
    run(network, data, folder, *options)
    return count


def main() -> None:
    """Print a line for each way."""
    network, data = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as place:
        reference = Path(place) / "reference"
        alone = run(network, data, reference)
        print(f"| this process | {len(digests(reference))} files | {alone:.0f} s |", flush=True)
        for number, (name, options) in enumerate(WAYS.items()):
            folder = Path(place) / str(number)
            seconds = run(network, data, folder, *options)
            print(f"| {name} | {differing(reference, folder)} | {seconds:.0f} s |", flush=True)
        folder = Path(place) / "killed"
        count = killed(network, data, folder, alone, "--workers", "2")
        print(f"| two processes, killed {count} times | {differing(reference, folder)} | |", flush=True)


if __name__ == "__main__":
    main()
