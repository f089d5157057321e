"""Entry point of `python -m`."""

import sys

from .cli import main

sys.exit(main())
