"""Everything that is drawn; nothing else in the package but `cli` imports from here.

- `pictures`, `shading`, `palette`: bodies over photographs, skeletons, contact sheets.
- `lesson`, `diagrams/`: the figures and diagrams of the lessons.
- `orbit`, `export`: a body as a 3D page, and as meshes for other programs.
- `explore/`: widgets that move a body while a slider does.
- `report/`: the report of a training run, and the HTML templates of every page.
- `sheets/`: contact sheets of poses and of results.
- `demo`: all of it for one photograph.

The names are listed in `__init__.pyi`; each is loaded when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
