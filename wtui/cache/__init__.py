"""Numbers kept between runs: statistics of files that have not changed since, in one SQLite file of the user's.

Statistics only, never weights. A `Shelf` holds what is known of one model; where there is no cache, because the user
wants none, the disk is full, the home cannot be written or the database is damaged, there is a shelf that holds
nothing. Nothing here raises for such reasons, and nothing is ever served for a file that was changed. Knows no screen.
"""

from __future__ import annotations

from wtui.cache.database import Usage, clear, database_path, forbid, usage
from wtui.cache.identity import Stamp, is_settled, stamp_of
from wtui.cache.notes import Notes
from wtui.cache.records import Remembered, remembered, row_body, row_from
from wtui.cache.shelf import NO_SHELF, Shelf, group_key, open_shelf

__all__ = [
    "NO_SHELF",
    "Notes",
    "Remembered",
    "Shelf",
    "Stamp",
    "Usage",
    "clear",
    "database_path",
    "forbid",
    "group_key",
    "is_settled",
    "open_shelf",
    "remembered",
    "row_body",
    "row_from",
    "stamp_of",
    "usage",
]
