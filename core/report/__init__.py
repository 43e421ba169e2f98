"""A comparison as one self-contained HTML page, and as HTML for a notebook: no network, opens from disk.

The modules that draw are imported when something is drawn, so that `import crosslens` stays quick.
"""

from typing import Any

from ..comparison.formats import WRITERS
from ..comparison.view import ComparisonView
from ..robustness.formats import TRANSFER_WRITERS

__all__ = ["page_in_html", "summary_for_notebook", "transfer_in_html"]


def page_in_html(view: ComparisonView) -> str:
    """The whole page: see `crosslens.report.page`."""
    from .page import page

    return page(view)


def summary_for_notebook(view: ComparisonView) -> str:
    """The verdict, the figures and the first pictures: see `crosslens.report.notebook`."""
    from .notebook import summary_in_html

    return summary_in_html(view)


def transfer_in_html(result: Any) -> str:
    """A transfer matrix as a page: see `crosslens.report.transfer_page`."""
    from .transfer_page import transfer_page

    return transfer_page(result)


TRANSFER_WRITERS |= {".html": transfer_in_html}
WRITERS |= {".html": page_in_html, "text/html": summary_for_notebook}
