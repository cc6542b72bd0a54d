"""`python -m lab`: the same program, without its launcher; for those who work on it."""

from __future__ import annotations

import sys

from lab.start import main

sys.exit(main(sys.argv[1:]))
