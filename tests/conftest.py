"""What holds for all tests: none of them reads or writes the cache of the user who runs them."""

from __future__ import annotations

import os

os.environ["WTUI_CACHE"] = "0"
