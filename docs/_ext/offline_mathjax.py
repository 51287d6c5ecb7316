"""Formulas without a network: MathJax out of the installed JupyterLab.

JupyterLab carries MathJax 3 and its fonts, cut into script files ("chunks") of numbered modules.
The chunks that MathJax is made of are joined, behind a module loader of a few lines, into one
script, fonts included; it is written into the built site and belongs to no repository.
"""

import base64
import json
import re
import sysconfig
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

TARGET = "mathjax.js"
# What `mathjax_start.js` needs, and how the module that makes it can be told.
EXPORTS = ("mathjax", "TeX", "CHTML", "TeXFont", "AllPackages", "browserAdaptor", "HTMLHandler")
DEFINED = re.compile(r"[{,](\d+)\(\w*(?:,\w+)*\)\{")
REQUIRED = re.compile(r"\b\w\((\d+)\)")


def find_lab() -> Path:
    """Return the folder of JupyterLab's scripts; ExtensionError where there is none."""
    folder = Path(sysconfig.get_path("data")) / "share" / "jupyter" / "lab" / "static"
    if not folder.is_dir():
        raise ExtensionError(
            "formulas need MathJax, which comes with JupyterLab: pip install jupyterlab"
        )
    return folder


def chunks(folder: Path) -> list[str]:
    """Return the scripts that MathJax is made of: those that export it, and what they require."""
    texts = {p.name: p.read_text(encoding="utf-8") for p in sorted(folder.glob("[0-9]*.js"))}
    home = {module: name for name, text in texts.items() for module in DEFINED.findall(text)}
    wanted: list[str] = []
    for export in EXPORTS:
        pattern = re.compile(rf"\.{export}=(?!void 0)[^;,]*?[{{\[(]")
        found = [n for n, t in texts.items() if "__esModule" in t and pattern.search(t)]
        if not found:
            raise ExtensionError(f"no MathJax in {folder}: nothing exports {export}")
        wanted += found
    seen: dict[str, None] = {}
    while wanted:
        name = wanted.pop()
        if name not in seen:
            seen[name] = None
            wanted += {home[m] for m in REQUIRED.findall(texts[name]) if m in home}
    return [texts[name] for name in sorted(seen)]


def fonts(folder: Path) -> dict[str, str]:
    """Return MathJax's fonts by name, as data URLs: browsers refuse font files to local pages."""
    from fontTools.ttLib import TTFont  # comes with matplotlib

    urls = {}
    for path in sorted(folder.glob("*.woff")):
        name = TTFont(path)["name"].getDebugName(6) or ""
        if name.startswith("MathJax_"):
            data = base64.b64encode(path.read_bytes()).decode()
            urls[f"{name}.woff"] = f"data:font/woff;base64,{data}"
    return urls


def build_script(folder: Path) -> str:
    """Return the whole script."""
    start = (Path(__file__).parent / "mathjax_start.js").read_text(encoding="utf-8")
    scripts = [f"(function(self){{{text}\n}})(chunks);" for text in chunks(folder)]
    return "\n".join(
        [
            "// MathJax, Copyright the MathJax Consortium, Apache License 2.0; from JupyterLab.",
            "(() => {",
            "const chunks = {};",
            *scripts,
            f"const fonts = {json.dumps(fonts(folder))};",
            start,
            "})();",
        ]
    )


def write(app: Sphinx, error: Exception | None) -> None:
    """Put the script where the pages look for it."""
    if error is None and app.builder.format == "html":
        path = Path(app.outdir) / "_static" / TARGET
        path.parent.mkdir(exist_ok=True)
        path.write_text(build_script(find_lab()), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Point Sphinx's formulas at the script, and write it when the pages are there."""
    app.connect("config-inited", lambda app, config: setattr(config, "mathjax_path", TARGET))
    app.connect("build-finished", write)
    return {"parallel_read_safe": True}
