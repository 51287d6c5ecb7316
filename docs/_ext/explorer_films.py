"""Explorers on pages: one control becomes plotly's own slider, so no kernel and no network.

```{film} explore_shape
:control: beta 0
:values: -3 0 3
:alt: What there is to see, in a sentence.
```
"""

from pathlib import Path
from typing import Any

import film_subjects
from docutils import nodes
from docutils.parsers.rst import directives
from plotly_figures import SCRIPT, framed
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from hmr_edu.viz import explore
from hmr_edu.viz.explore import static


class Film(SphinxDirective):
    """The film of an explorer: what a control does, for these values."""

    required_arguments = 1
    option_spec = dict.fromkeys(("control", "values", "alt"), directives.unchanged_required)

    def run(self) -> list[nodes.Node]:
        """Make the film; what it cannot do is a warning at the place, and so an error in CI."""
        name = self.arguments[0]
        # The page is read again when what it shows has changed.
        for source in (*Path(static.__file__).parent.glob("*.py"), film_subjects.__file__):
            self.env.note_dependency(str(source))
        try:
            subject = getattr(film_subjects, name, None) or getattr(explore, name)
            explorer = subject()
            values = [float(value) for value in self.options["values"].split()]
            figure = static.film(explorer, self.options["control"], values)
            script = f"{'../' * self.env.docname.count('/')}_static/{SCRIPT}"
            # The first film of a page brings the script.
            first = self.env.temp_data.setdefault("first film", self.lineno) == self.lineno
            text = static.fragment(figure, name.replace("_", "-"), script if first else False)
        except (AttributeError, KeyError, ValueError) as error:
            raise self.error(f"no film of {name}: {error}") from error
        return [nodes.raw("", framed(text, self.options["alt"]), format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive."""
    app.add_directive("film", Film)
    return {"parallel_read_safe": True}
