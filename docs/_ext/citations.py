"""The bibliography, and links to it from wherever a paper is named.

docs/references.bib is read by sphinxcontrib-bibtex.
Docstrings and lessons are read without this site, too, so they hold no markup for it: they say
"Zhou et al. 2019", "Loper et al., SMPL (2015)" or a paper's title in italics.
Such a mention becomes a link to the entry.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from pybtex.database import Entry, parse_file
from pybtex.plugin import register_plugin
from pybtex.richtext import Text
from pybtex.style.formatting.unsrt import Style as PlainStyle
from pybtex.style.labels import BaseLabelStyle
from pybtex.style.template import Node, field, sentence
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

BIBLIOGRAPHY = "references.bib"
PAGE = "references"
ALREADY = (nodes.reference, nodes.literal, nodes.literal_block, nodes.title, nodes.raw)


class Shorthand(BaseLabelStyle):
    """Labels: what the field calls a paper."""

    def format_labels(self, sorted_entries: list[Entry]) -> Iterator[str]:
        """Return the labels of these entries."""
        return (entry.fields["shorthand"] for entry in sorted_entries)


class Style(PlainStyle):
    """Entries in the order of the file, titles as they are printed on the paper."""

    default_label_style = "shorthand"
    default_sorting_style = "none"

    def format_title(self, e: Entry, which_field: str, as_sentence: bool = True) -> Node:
        """Return a title with its capitals."""
        return sentence[field(which_field)] if as_sentence else field(which_field)


@cache
def entries(path: Path) -> dict[str, Entry]:
    """Return the entries of a .bib file by key."""
    return dict(parse_file(path).entries.items())


def plain(latex: str) -> str:
    """Return a field without braces and TeX's accents."""
    return str(Text.from_latex(latex))


def title(entry: Entry) -> str:
    """Return the title as it reads."""
    return plain(entry.fields["title"])


def mention(entry: Entry) -> str:
    """Return a pattern of the ways to name an entry by its authors and year; "" without a year."""
    if "year" not in entry.fields:
        return ""
    last = [re.escape(plain(" ".join(p.last_names))) for p in entry.persons["author"]]
    if len(last) == 1:
        who = last[0]
    elif len(last) == 2 and last[1] != "others":
        who = rf"{last[0]}\s+(?:and|&)\s+{last[1]}"
    else:
        who = rf"{last[0]}(?:\s+et\s+al\.)?"
    quoted = r"(?:,?\s+[\"“][^\"”]{5,120}[\"”],?)?"
    words = r"(?:,?\s+\w[\w.-]*){0,3}?"
    year = entry.fields["year"]
    return rf"\b{who}{quoted}{words},?\s+(?:\({year}\)|{year})(?!\w)"


@cache
def pattern(path: Path) -> tuple[re.Pattern[str], list[str]]:
    """Return one pattern for all mentions, a group an entry, and the keys of the groups."""
    named = {}
    for key, entry in entries(path).items():
        words = re.escape(title(entry)).replace(r"\ ", r"\s+").replace("'", "['\u2019]")
        # Short titles are everyday words.
        alone = [f"(?i:{words})"] if len(title(entry)) > 20 else []
        named[key] = "|".join([*filter(None, [mention(entry)]), *alone])
    named = {key: text for key, text in named.items() if text}
    text = "|".join(f"({alternatives})" for alternatives in named.values())
    # Every mention begins a word: nothing needs to be tried inside words.
    return re.compile(rf"\b(?=\w)(?:{text})"), list(named)


def find(text: str, path: Path) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and key of every mention in a text."""
    compiled, keys = pattern(path)
    for match in compiled.finditer(text):
        yield match.start(), match.end(), keys[(match.lastindex or 1) - 1]


class LinkMentions(SphinxPostTransform):
    """Turn mentions into links to the bibliography."""

    default_priority = 50

    def run(self, **kwargs: Any) -> None:
        """Look at every text of the page that is neither code nor a link already."""
        if self.env.docname == PAGE or self.app.builder.format != "html":
            return
        path = Path(self.env.srcdir) / BIBLIOGRAPHY
        target = self.app.builder.get_relative_uri(self.env.docname, PAGE)
        ids = {c.key: c.citation_id for c in self.env.get_domain("cite").citations}
        for node in list(self.document.findall(nodes.Text)):
            parents, parent = [], node.parent
            while parent is not None:
                parents.append(parent)
                parent = parent.parent
            if any(isinstance(parent, ALREADY) for parent in parents):
                continue
            text, done, new = str(node), 0, []
            for start, end, key in find(text, path):
                link = nodes.reference("", text[start:end], refuri=f"{target}#{ids[key]}")
                new += [nodes.Text(text[done:start]), link]
                done = end
            if new:
                node.parent.replace(node, [*new, nodes.Text(text[done:])])


def setup(app: Sphinx) -> dict[str, Any]:
    """Set sphinxcontrib-bibtex up, and add the links."""
    register_plugin("pybtex.style.labels", "shorthand", Shorthand)
    register_plugin("pybtex.style.formatting", "house", Style)
    app.setup_extension("sphinxcontrib.bibtex")
    app.add_post_transform(LinkMentions)
    return {"parallel_read_safe": True}
