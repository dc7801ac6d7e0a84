"""A web server on the loopback for tests: serves the files of a folder, counts what is asked for, and misbehaves."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Server", "serving"]

MISBEHAVIOURS = (
    "no ranges", "forbidden", "broken", "truncated", "short", "long", "endless", "other part", "no part", "gzip",
    "wrong size", "silent", "changed",
)  # fmt: skip


class Server:
    """What is served, what was asked for, and how the server misbehaves (`""`: it does not)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = ""
        self.misbehaviour = ""
        self.requests: list[tuple[str, int, int]] = []
        """Path, first byte and the byte behind the last one, of every request."""
        self.refused = 0
        """Requests for what is not there."""
        self.json: dict[str, bytes] = {}
        """Answers in JSON, by path."""
        self.release = threading.Event()
        """Ends the silence of the server that is `silent`."""

    @property
    def bytes_asked(self) -> int:
        """Bytes that were asked for, as far as the files have them."""
        return sum(max(0, stop - start) for _, start, stop in self.requests)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    told: Server

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        told, path = self.told, unquote(urlsplit(self.path).path).lstrip("/")
        if path in told.json:
            self._send(200, told.json[path], {"Content-Type": "application/json"})
            return
        hub = re.fullmatch(r"[^/]+/[^/]+/resolve/[^/]+/(.+)", path)
        file = told.folder / (hub[1] if hub else path)
        if told.misbehaviour in ("forbidden", "broken") or not file.is_file():
            told.refused += 1
            self._send({"forbidden": 403, "broken": 503}.get(told.misbehaviour, 404), b"\x1b[2Jno", {})
            return
        data = file.read_bytes()
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        first, stop = (int(match[1]), min(int(match[2]) + 1, len(data))) if match else (0, len(data))
        told.requests.append((path, first, stop))
        if told.misbehaviour == "silent":
            told.release.wait(60)
        elif match is None or told.misbehaviour == "no ranges":
            self._send(200, data, {})
        elif first >= len(data):
            self._send(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        else:
            self._send_part(data, first, stop)

    def _send_part(self, data: bytes, first: int, stop: int) -> None:
        how, part, size = self.told.misbehaviour, data[first:stop], len(data)
        headers = {"ETag": '"one"', "Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}
        if how == "changed" and first:
            headers["ETag"] = '"two"'
        if how == "wrong size" and first:
            size += 1
        if how != "no part":
            at = first + 1 if how == "other part" else first
            headers["Content-Range"] = f"bytes {at}-{at + len(part) - 1}/{size}"
        if how == "gzip":
            headers["Content-Encoding"] = "gzip"
        if how == "truncated":
            headers["Content-Length"] = str(len(part))
            part = part[: len(part) // 2]
        elif how == "short":
            part = part[:-1]
        elif how == "long":
            part += b"more"
        self._send(206, part, headers, endless=how == "endless")

    def _send(self, status: int, body: bytes, headers: dict[str, str], endless: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if endless:
            self.send_header("Connection", "close")
        elif "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
            while endless:
                self.wfile.write(bytes(1 << 16))
        except OSError:
            pass
        if len(body) < int(headers.get("Content-Length", 0)):
            self.close_connection = True


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is none."""


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server of a folder's files, for as long as the block runs."""
    told = Server(folder)
    server = _QuietServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"told": told}))
    told.address = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        told.release.set()
        server.shutdown()
        server.server_close()
        thread.join()
