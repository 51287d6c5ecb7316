"""Scripts of the repository, which are no modules of the package."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

SCRIPTS = Path(__file__).parents[2] / "scripts"


def load_script(path: str) -> ModuleType:
    """Load a script, "folder/name.py" below `scripts/`."""
    name = "script_" + path.removesuffix(".py").replace("/", "_")
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a class of the script looks itself up here
    spec.loader.exec_module(module)
    return module
