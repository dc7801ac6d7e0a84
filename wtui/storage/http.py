"""Ranges of files behind `http://`, `https://` and `hf://`, one request each, through fsspec's HTTP file system.

Every answer is checked against what was asked for, and never read further: a server may know no ranges, claim any
length, or stop half-way. fsspec and aiohttp (and, for `hf://`, huggingface_hub) are an extra, imported on first use.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from wtui.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Address", "Answer", "ask", "list_hub", "resolve"]

CONNECT_SECONDS, SILENT_SECONDS = 10, 20
"""How long a server may take to be reached, and may send nothing."""

LEAST_SPEED = 50_000
"""Bytes a second below which an answer is given up, lest a server that drips bytes hold us for ever."""

STEP = 1 << 20
"""Bytes of an answer that are taken at a time."""

_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,19})-(\d{1,19})|\*)/(\d{1,19})")


class Address(NamedTuple):
    """Where a file is asked for, and with which headers."""

    url: str
    headers: Mapping[str, str] = {}


class Answer(NamedTuple):
    """What a server sent for a range."""

    data: bytes
    size: int
    """Bytes of the whole file."""
    tag: str
    """What it calls this content (ETag), `""` if it does not say."""
    modified: str
    """Its Last-Modified, as it stands."""


class Refused(Exception):
    """What is wrong with an answer, and what to do; becomes a StorageError."""


def ask(address: Address, start: int, stop: int, name: str) -> Answer:
    """The bytes `start : stop` of a file, or as many as it has; StorageError if the server does not send just that."""

    files = _file_system()
    from aiohttp import ClientError, ClientPayloadError
    from fsspec.asyn import sync
    from fsspec.exceptions import FSTimeoutError

    limit = CONNECT_SECONDS + SILENT_SECONDS + (stop - start) / LEAST_SPEED
    try:
        answer: Answer = sync(files.loop, _ask, files, address, start, stop, timeout=limit)
    except Refused as refused:
        what, hint = (*refused.args, "")[:2]
        raise StorageError(what, name, hint) from None
    except (TimeoutError, FSTimeoutError):
        raise StorageError("the server does not answer in time", name, "try again, or download the file") from None
    except ClientPayloadError:
        raise StorageError("the server stopped in the middle of its answer", name, "try again") from None
    except (ClientError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise StorageError(f"cannot be read from there: {reason}", name) from error
    return answer


async def _ask(files: Any, address: Address, start: int, stop: int) -> Answer:
    session = await files.set_session()
    headers = {**address.headers, "Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
    async with session.get(files.encode_url(address.url), headers=headers) as response:
        status, said = response.status, response.headers
        if status == 416 and start == 0:
            return Answer(b"", 0, "", "")
        _check_status(status)
        if said.get("Content-Encoding", "identity") != "identity":
            raise Refused("the server sends it compressed, so that its bytes cannot be addressed", DOWNLOAD)
        wanted, size = stop - start, -1
        if status == 206:
            wanted, size = _promised(said.get("Content-Range", ""), start, stop)
        elif start > 0:
            raise Refused(NO_RANGES, DOWNLOAD)
        data = await _take(response.content, wanted)
        if len(data) > wanted:
            raise Refused(NO_RANGES if status != 206 else "the server sent more than it was asked for", DOWNLOAD)
        if status == 206 and len(data) < wanted:
            raise Refused(f"the server sent {len(data):,} bytes instead of {wanted:,}", "try again")
        tag, modified = said.get("ETag", ""), said.get("Last-Modified", "")
        return Answer(data, len(data) if size < 0 else size, tag, modified)


DOWNLOAD = "download it, and open the copy"
NO_RANGES = "the server cannot send parts of a file"


def _check_status(status: int) -> None:
    if status in (200, 206):
        return
    words = {404: "there is no such file (404)", 410: "there is no such file (410)"}
    if status in (401, 403):
        raise Refused(f"the server does not let us read it ({status})", "is it private, or does it want a token?")
    raise Refused(words.get(status, f"the server answers with status {status}"))


def _promised(content_range: str, start: int, stop: int) -> tuple[int, int]:
    """How many bytes the answer must have, and the whole file: from its Content-Range."""
    match = _CONTENT_RANGE.fullmatch(content_range.strip())
    if match is None or match[1] is None:
        raise Refused("the server does not say which part of the file it sent", DOWNLOAD)
    first, last, size = int(match[1]), int(match[2]), int(match[3])
    if first != start or last + 1 != min(stop, size):
        raise Refused(f"the server sent bytes {first:,} to {last + 1:,} instead of {start:,} to {stop:,}", DOWNLOAD)
    return last + 1 - first, size


async def _take(content: Any, wanted: int) -> bytes:
    """The bytes of an answer, one more than `wanted` at most."""
    data = bytearray()
    while len(data) <= wanted:
        piece = await content.read(min(STEP, wanted + 1 - len(data)))
        if not piece:
            break
        data += piece
    return bytes(data)


def resolve(path: str) -> Address:
    """Where the file of a path is asked for; StorageError if `hf://` names none."""
    if not path.startswith("hf://"):
        if not urlsplit(path).netloc:
            raise StorageError("is no address of a file", path, "https://HOST/PATH or hf://OWNER/NAME/FILE")
        return Address(path)
    from huggingface_hub import hf_hub_url, utils

    found = _hub(path)
    url = hf_hub_url(found.repo_id, found.path_in_repo, repo_type=found.repo_type, revision=found.revision)
    return Address(url, utils.build_hf_headers())


def list_hub(path: str) -> frozenset[str] | None:
    """Names in a folder of `hf://OWNER/NAME[@REVISION][/FOLDER]`; None if the path is that of a file.

    Behind the repository's name, a last part with a dot is a file: to ask which it is would be one request more.
    """
    parts = path.removeprefix("hf://").removeprefix("models/").split("/")
    if len(parts) > 2 and "." in parts[-1]:
        return None
    try:
        found = _hub_files().ls(path, detail=False)
    except Exception as error:  # the hub's own errors are of many types
        raise _hub_error(path, error) from error
    return frozenset(str(name).rpartition("/")[2] for name in found)


def _hub(path: str) -> Any:
    """Repository, revision and path within it; StorageError if there is none."""
    try:
        return _hub_files().resolve_path(path)
    except Exception as error:  # the hub's own errors are of many types
        raise _hub_error(path, error) from error


def _hub_error(path: str, error: Exception) -> StorageError:
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return StorageError(f"cannot be found on the hub: {reason[:200]}", path, "hf://OWNER/NAME or hf://OWNER/NAME/FILE")


@cache
def _file_system() -> Any:
    try:
        import fsspec
        from aiohttp import ClientTimeout
    except ImportError:
        raise StorageError("files behind an address need fsspec", hint="pip install 'wtui[remote]'") from None
    timeout = ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS)
    return fsspec.filesystem("http", client_kwargs={"timeout": timeout, "trust_env": True})


@cache
def _hub_files() -> Any:
    try:
        import fsspec

        return fsspec.filesystem("hf")
    except ImportError:
        raise StorageError("hf:// needs huggingface_hub", hint="pip install 'wtui[remote]'") from None
