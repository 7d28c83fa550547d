"""A block of ours in a description that others write in as well."""

import re


def with_block(description: str, name: str, text: str) -> str:
    """Put Markdown in the place of the block of that name, or behind everything; the rest stays.

    HTML comments mark the block; a page that shows Markdown does not show them. A block whose end
    somebody has deleted is left to them, and a new one is begun.

    >>> first = with_block("Ours since May.", "monitoring", "stable")
    >>> with_block(first, "monitoring", "drift")
    'Ours since May.\\n\\n<!-- trimtab:monitoring -->\\ndrift\\n<!-- /trimtab:monitoring -->'
    """
    begin, end = f"<!-- trimtab:{name} -->", f"<!-- /trimtab:{name} -->"
    block = f"{begin}\n{text.replace('<!--', '').replace('-->', '')}\n{end}"
    inner = rf"(?:(?!{re.escape(begin)}).)*?"
    there = re.compile(re.escape(begin) + inner + re.escape(end), re.DOTALL)
    if there.search(description):
        return there.sub(lambda _: block, description, count=1)
    return f"{description.rstrip()}\n\n{block}".lstrip()


def plain(text: str) -> str:
    """Write text so that Markdown and HTML show it as it is.

    >>> plain("<b>a_b</b> [x](javascript:y)")
    '&lt;b&gt;a\\\\_b&lt;/b&gt; \\\\[x\\\\]\\\\(javascript:y\\\\)'
    """
    shown = "".join(c if c.isprintable() else " " for c in text)
    marked = re.sub(r"([\\`*_{}\[\]()#+!|~])", r"\\\1", shown)
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
