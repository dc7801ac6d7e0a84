"""Bytes, wherever they lie: reads ranges, counts them, and knows nothing of what they mean.

Everything is opened read-only. Whatever goes wrong leaves as a `StorageError`.
"""

from wtui.storage.files import Files, file_ref
from wtui.storage.source import (
    BytesSource,
    CachedSource,
    FileSource,
    Source,
    StoredFile,
    WindowSource,
    is_remote,
)

__all__ = [
    "BytesSource",
    "CachedSource",
    "FileSource",
    "Files",
    "Source",
    "StoredFile",
    "WindowSource",
    "file_ref",
    "is_remote",
]
