"""The files of a site that are the same for every network: the page, its script and style, their licences."""

from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from ..errors import ParameterError
from ..files.whole_file import write_text

__all__ = ["embedded_page", "write_app"]

FILES = ("explorer.js", "explorer.css", "LICENSES.txt")
CELL_HEIGHT = 640
"""Pixels of a page in a notebook's cell."""


def write_app(folder: Path, title: str) -> None:
    """`index.html`, and in `app/` what it loads.

    Args:
        folder: of the site; it exists.
        title: as a reader sees it; any text.

    Raises:
        ParameterError: a file cannot be written.
    """
    page = Template(_shipped("bundle/page.html")).substitute(title=escape(title))
    write_text(folder / "index.html", page, ParameterError)  # first: by it a folder is known as a site
    (folder / "app").mkdir(exist_ok=True)
    for name in FILES:
        write_text(folder / "app" / name, _shipped(f"bundle/{name}"), ParameterError)


def embedded_page(title: str, route: str, scripts: list[str]) -> str:
    """One page of a site with all that it needs inside, as a frame for a notebook's cell.

    Args:
        title: as a reader sees it.
        route: such as "#/unit/3/12".
        scripts: the data, lines of `data_folder.script`.
    """
    style, program = _shipped("bundle/explorer.css"), _shipped("bundle/explorer.js").replace("</script", "<\\/script")
    early = "window.crosslens={queue:[],put:function(k,v){this.queue.push([k,v])}};"
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{style}</style>"
        f'<body><div id="app" data-start="{escape(route)}"></div><script>{early}{"".join(scripts)}</script>'
        f"<script>{program}</script></body></html>"
    )
    frame = f"width:100%;height:{CELL_HEIGHT}px;border:1px solid #8888;border-radius:6px"
    return f'<iframe title="{escape(title)}" sandbox="allow-scripts" style="{frame}" srcdoc="{escape(page)}"></iframe>'


def _shipped(name: str) -> str:
    place = files(__package__ or "").joinpath("web")
    for part in name.split("/"):
        place = place.joinpath(part)
    return place.read_text(encoding="utf-8")
