"""The page of a window: our verdict in words and figures, and below it Evidently's pictures."""

import base64
import hashlib
import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from trimtab.records.endpoints import EndpointStatus
from trimtab.records.reference import Reference
from trimtab.records.verdicts import Verdict

from .markup import element, html
from .sections import columns, facts, heading, reading_help
from .styles import STYLES

_SCRIPTS = 4
"""Scripts of a page that Evidently writes: data, a name, the library, the call."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Evidently's part of a page."""

    scripts: tuple[str, ...]
    styles: str
    root: str
    """The id of the element that the scripts draw into."""

    @classmethod
    def of(cls, page: str) -> "Pictures":
        """Take the parts out of a page that Evidently wrote. Raises ValueError.

        The data is spelled so that nothing in it can end its script. A page with more scripts
        than Evidently's own is none that it wrote.
        """
        scripts = re.findall(r"<script>(.*?)</script>", page.replace("\r\n", "\n"), re.DOTALL)
        root = re.search(r'<div id="(root_metric_[0-9a-f]+)">', page)
        styles = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
        if len(scripts) != _SCRIPTS or root is None or styles is None:
            raise ValueError(f"Evidently's page has {len(scripts)} scripts instead of {_SCRIPTS}.")
        data, *others = scripts
        harmless = data.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")
        return cls((harmless, *others), styles[1], root[1])


def page_of(
    verdict: Verdict,
    reference: Reference,
    endpoint: EndpointStatus | None,
    pictures: Pictures | None,
    *,
    note: str = "",
) -> str:
    """Write a page that needs nothing but itself; all names and values are text in it.

    `note` says what there is to know about the pictures, above all why there are none.
    """
    body = element(
        "main",
        heading(verdict),
        facts(verdict, reference, endpoint),
        columns(verdict),
        reading_help(),
        class_="trimtab",
    )
    below = element(
        "section",
        element("h2", "Pictures and tests, by Evidently"),
        element("p", note, class_="dim") if note else None,
        class_="trimtab pictures",
    )
    title = element("title", f"{verdict.model} {verdict.window}: {verdict.kind}")
    drawn = f'<div id="{pictures.root}"></div>' if pictures else ""
    scripts = pictures.scripts if pictures else ()
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="UTF-8">',
            html(_policy(scripts)),
            '<meta name="viewport" content="width=device-width, initial-scale=1.0">',
            html(title),
            f"<style>{pictures.styles if pictures else ''}{STYLES}</style>",
            "</head>",
            "<body>",
            html(body),
            html(below),
            drawn,
            *(f"<script>{script}</script>" for script in scripts),
            "</body>",
            "</html>",
        ]
    )


def _policy(scripts: tuple[str, ...]) -> Element:
    """Allow the page's own scripts, by their hashes, and no request to anywhere."""
    sources = " ".join(f"'sha256-{_hash(script)}'" for script in scripts) or "'none'"
    rules = (
        "default-src 'none'",
        f"script-src {sources}",
        "style-src 'unsafe-inline'",
        "img-src data: blob:",
        "font-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return Element("meta", {"http-equiv": "Content-Security-Policy", "content": "; ".join(rules)})


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
