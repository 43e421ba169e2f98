"""What `pip install -e` adds so that type checkers find crosslens: links to its sources, and a .pth file to them.

At run time setuptools' import hook maps `crosslens` to the folder core/. mypy and pyright do not run it, so that they
would find nothing. They do read .pth files, and take a folder `crosslens-stubs` for the types of `crosslens`.
"""

from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from zipfile import ZIP_DEFLATED, ZipFile

from setuptools.command.editable_wheel import editable_wheel

__all__ = ["PTH", "EditableWheel", "add_file", "link_sources"]

PTH = "__editable__.crosslens_types.pth"


class EditableWheel(editable_wheel):
    """Setuptools' command behind `pip install -e`; pyproject.toml names it."""

    def run(self) -> None:
        """Build the wheel as setuptools does, and add the .pth file."""
        super().run()
        types = link_sources(Path(self.project_dir or ".").resolve())
        for wheel in Path(self.dist_dir).glob("crosslens-*editable*.whl"):
            add_file(wheel, PTH, f"{types}\n")


def link_sources(root: Path) -> Path:
    """Make .view/crosslens, the package as it is laid out when installed, and .view/types/crosslens-stubs.

    Folders are linked whole, so that new modules are seen at once. Returns .view/types.
    """
    view = root / ".view"
    rmtree(view, ignore_errors=True)
    package, stubs = view / "crosslens", view / "types" / "crosslens-stubs"
    for folder in (package, stubs):
        folder.mkdir(parents=True)
        for entry in [*(root / "core").iterdir(), root / "backends", root / "methods"]:
            (folder / entry.name).symlink_to(entry)
    (stubs / "__init__.pyi").symlink_to(root / "core" / "__init__.py")  # what mypy asks of a folder of stubs
    return view / "types"


def add_file(wheel: Path, name: str, text: str) -> None:
    """Add a file to a wheel, and its line to the wheel's RECORD."""
    with ZipFile(wheel) as packed:
        files = {each: packed.read(each) for each in packed.namelist()}
    (record,) = (each for each in files if each.endswith(".dist-info/RECORD"))
    digest = urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()
    line = f"{name},sha256={digest},{len(text.encode())}\n"
    files = {**files, name: text.encode(), record: line.encode() + files[record]}
    with ZipFile(wheel, "w", ZIP_DEFLATED) as packed:
        for each, content in files.items():
            packed.writestr(each, content)


if __name__ == "__main__":
    link_sources(Path(__file__).resolve().parents[1])
