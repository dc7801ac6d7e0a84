"""PyTorch's zip archives: `torch.save` since 1.6, and TorchScript. Finds the pickle and the storages in them.

An archive holds `<name>/data.pkl`, `<name>/data/<key>` for each storage and, since 2.1, `<name>/byteorder`; TorchScript
adds `constants.pkl` and `code/`, which is not looked at. Members are stored, so that storages have offsets in the
archive itself; in one that was zipped again each is inflated when it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wtui.errors import FormatError, WtuiError
from wtui.formats.inert import Machine, Stream
from wtui.formats.torch.recover import recover
from wtui.formats.torch.tensors import Run, storage_of
from wtui.formats.zipped import ZipMember, data_offsets, read_directory, whole, window
from wtui.model import Extent
from wtui.storage import CachedSource, WindowSource

if TYPE_CHECKING:
    from wtui.formats.inert import Global
    from wtui.formats.torch.tensors import Places, Storage
    from wtui.model import FileRef
    from wtui.storage import Source

__all__ = ["PICKLE", "Archive", "Loaded"]

PICKLE = "data.pkl"
STORAGES = "data"
"""The folder of what the pickle refers to."""

SMALL_MEMBER = 1 << 12
"""Bytes of a member, on average, below which headers are read together with what lies between them."""

AHEAD = 1 << 16
"""Bytes read at a time then."""

MAX_RECORD = 1 << 12
"""Bytes of the small records (version, byte order) that are read."""


class Loaded(NamedTuple):
    """What a file's pickle says."""

    root: object
    called: tuple[Global, ...]
    """What loading it with PyTorch would call."""
    places: Places
    """Where what it refers to lies."""


class Archive:
    """One archive: a whole file, or a part of one (distributed checkpoints put many into a file)."""

    def __init__(
        self, file: Source, files: list[FileRef], number: int, start: int = 0, length: int | None = None
    ) -> None:
        """`number` is the file's in `files`, which gains an entry for every deflated member that is referred to.
        FormatError if there is no archive or no pickle in it."""
        self._source = file if length is None else WindowSource(file, start, length)
        self._start = start
        self._files = files
        self._number = number
        self.members, self.problem = read_directory(self._source)
        if self.problem:
            self.members = recover(self._source)
        self.prefix = _prefix(self.members, file.name)
        self.byteorder = ">" if self.record("byteorder") == "big" else "<"
        self._is_small = self._source.size < SMALL_MEMBER * len(self.members)
        self._headers: Source = CachedSource(self._source, AHEAD, 2) if self._is_small else self._source
        self._plain: dict[str, Extent] | None = None
        self._deflated: dict[str, Run] = {}

    @property
    def is_script(self) -> bool:
        """Whether it is TorchScript."""
        return self.prefix + "constants.pkl" in self.members or self.prefix + "bytecode.pkl" in self.members

    def record(self, name: str) -> str:
        """A small text record, `""` where there is none."""
        member = self.members.get(self.prefix + name)
        if member is None:
            return ""
        try:
            return whole(self._source, member, MAX_RECORD).decode("utf-8", "replace").strip()
        except WtuiError:
            return ""

    def load(self, name: str = PICKLE, folder: str = STORAGES) -> Loaded:
        """What a pickle of the archive holds; its storages are the members of `folder`."""
        member = self.members[self.prefix + name]
        offset, size, deflated = window(self._source, member)
        source, places = self._source, _Pickle(self, folder, self._number, self._start)
        if deflated is not None:
            from wtui.storage.inflate import InflatedSource

            source = InflatedSource(self._source, deflated, size)
            places = _Pickle(self, folder, self._add(member, size), 0)
        machine = Machine(Stream(source, offset, offset + size))
        return Loaded(machine.load(), tuple(machine.called), places)

    @property
    def plain(self) -> dict[str, Extent]:
        """The bytes of all plain members, by name; none where there are so few that each is better asked for.

        These are then no longer among `members`.
        """
        if self._plain is None:
            offsets = data_offsets(self._source, self.members.values()) if self._is_small else {}
            plain = {
                name: Extent(self._number, self._start + offsets[m.header], m.size)
                for name, m in self.members.items()
                if m.header in offsets and m.is_plain
            }
            self._plain = plain
            if plain:  # of hundreds of thousands of storages no more than this is needed
                storages = f"{self.prefix}{STORAGES}/"
                self.members = {n: m for n, m in self.members.items() if n not in plain or not n.startswith(storages)}
        return self._plain

    def run(self, name: str) -> Run:
        """The bytes of a member."""
        known = self.plain.get(name)
        if known is not None:
            return Run(known)
        member = self.members.get(name)
        if member is None:
            return Run(None, f"the archive {'was cut off before' if self.problem else 'has no'} {name[:100]!r}")
        try:
            offset, size, deflated = window(self._headers, member)
        except WtuiError as error:
            return Run(None, error.what)
        if deflated is None:
            return Run(Extent(self._number, self._start + offset, member.size))
        if name not in self._deflated:
            self._deflated[name] = Run(Extent(self._add(member, size), 0, size))
        return self._deflated[name]

    def _add(self, member: ZipMember, size: int) -> int:
        """The number of a file that stands for a deflated member."""
        _, _, deflated = window(self._source, member)
        if deflated is not None:
            deflated = deflated._replace(offset=deflated.offset + self._start)
        self._files.append(self._files[self._number]._replace(member=deflated, size=size))
        return len(self._files) - 1


class _Pickle:
    """Where what one pickle of an archive refers to lies."""

    def __init__(self, archive: Archive, folder: str, file: int, start: int) -> None:
        self.byteorder = archive.byteorder
        self._archive = archive
        self._folder = f"{archive.prefix}{folder}/"
        self._file = file
        self._start = start

    def reference(self, value: object) -> Storage | None:
        """The storage that a value refers to."""
        return storage_of(value)

    def storage(self, storage: Storage) -> Run:
        """The member that holds a storage."""
        return self._archive.run(self._folder + storage.key)

    def whole(self, key: str) -> Extent | None:
        """The member that holds the storage of a key."""
        name = self._folder + key
        return self._archive.plain.get(name) or self._archive.run(name).extent

    def inside(self, offset: int, length: int) -> Extent | None:
        """Bytes of the pickle itself."""
        return Extent(self._file, self._start + offset, length)


def _prefix(members: dict[str, ZipMember], archive: str) -> str:
    """What stands before `data.pkl`: the name that the archive was saved under, with a slash."""
    found = [name for name in members if name == PICKLE or name.endswith("/" + PICKLE)]
    if not found:
        raise FormatError(f"is a zip archive without a {PICKLE}", archive, "not saved by PyTorch, or cut off")
    return min(found, key=lambda name: (name.count("/"), name)).removesuffix(PICKLE)
