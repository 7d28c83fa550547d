"""HTML that is escaped by construction: a tree of elements, written out as a whole."""

from xml.etree.ElementTree import Element, SubElement, tostring

_MOST = 300
"""Characters of a name or a value that a page shows."""


def element(tag: str, *children: "Element | str | None", **attributes: str) -> Element:
    """Make an element; texts among its children are text, whatever they contain.

    An attribute that Python keeps to itself is written with an underscore behind it.

    >>> html(element("p", "a < b ", element("b", "</p>"), class_="x"))
    '<p class="x">a &lt; b <b>&lt;/p&gt;</b></p>'
    """
    made = Element(tag, {k.rstrip("_").replace("_", "-"): v for k, v in attributes.items()})
    for child in children:
        if isinstance(child, str):
            _append_text(made, child)
        elif child is not None:
            made.append(child)
    return made


def _append_text(to: Element, text: str) -> None:
    if len(to):
        to[-1].tail = (to[-1].tail or "") + text
    else:
        to.text = (to.text or "") + text


def html(tree: Element) -> str:
    """Write a tree."""
    return tostring(tree, encoding="unicode", method="html")


def printable(text: str, *, most: int = _MOST) -> str:
    r"""Spell out what does not print, and cut what no page can hold.

    >>> printable("a\0b\u202e")
    'a\\x00b\\u202e'
    """
    shown = "".join(c if c.isprintable() else _spelled(c) for c in text[:most])
    return f"{shown}\u2026 ({len(text):,} characters)" if len(text) > most else shown


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def named(name: str) -> Element:
    """Show a name of the data, in its own direction of writing."""
    made = element("bdi", printable(name))
    made.set("class", "name")
    return made


def row(*cells: "tuple[str, Element | str]", **attributes: str) -> Element:
    """Make a row of a table whose cells know what they are, for narrow screens."""
    made = element("tr", **attributes)
    for label, content in cells:
        SubElement(made, "td", {"data-label": label}).append(element("span", content))
    return made
