"""hmr_edu: build Human Mesh Recovery from nothing, notebook by notebook.

`import hmr_edu` loads nothing else; a public name is loaded when it is first used::

    from hmr_edu import HMR, SMPL, load_body, load_pretrained

The names are listed in `__init__.pyi`. Each room of the package (`hmr_edu.data`, ...) has its own.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
