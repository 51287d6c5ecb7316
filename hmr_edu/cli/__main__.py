"""`python -m hmr_edu.cli` does what `hmr-edu` does."""

import sys

from hmr_edu.cli import main

if __name__ == "__main__":
    sys.exit(main())
