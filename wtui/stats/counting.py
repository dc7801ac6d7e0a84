"""A tensor of more than 65,536 values: rows of moments by block, and counts by pattern or bucket in threads' tables."""

from __future__ import annotations

from functools import reduce
from importlib import import_module
from math import nan
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from wtui.stats import reference, rows
from wtui.stats.buckets import IDS, SIGN, ZERO, slots_of_ids
from wtui.stats.counts import BucketCounts, add_up, narrowest
from wtui.stats.moments import moments_of_rows
from wtui.stats.patterns import pattern_summary
from wtui.stats.places import Place, Places
from wtui.stats.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from wtui.stats.kinds import Kind
    from wtui.stats.scratch import Counted, Scratch, Table

__all__ = ["CountedBlocks"]

PAGE = 64
"""Blocks whose rows are allocated together: pages never move, so threads may write into them without a lock."""

BLOCK = rows.BLOCK


class CountedBlocks:
    """Rows of the blocks that were added, by number, and counts that threads handed over."""

    def __init__(self, kind: Kind, total: int, compiled: bool) -> None:
        self._kind = kind
        self._total = total
        self.compiled = compiled
        self._kernels = import_module("wtui.stats.kernels") if compiled else None
        self.paired = compiled and kind.work == np.float32
        self.counters = 1 << (8 * kind.native.itemsize) if kind.narrow else IDS
        self._pages: dict[int, tuple[NDArray[np.float64], NDArray[np.int64]]] = {}
        self._counted: list[Counted] = []
        self._lock = Lock()

    def add(self, block: int, patterns: NDArray[np.unsignedinteger], scratch: Scratch) -> None:
        """Summarise the values of one block, or of several that follow each other."""
        patterns = self._kind.widened(patterns)
        table = scratch.table(self, len(patterns))
        for part, keys, row in self._by_page(block, patterns):
            done = 0
            while done < len(row):
                if self._kernels is not None:
                    done += self._kernels.summarise(self._kind, part[done * BLOCK :], table, keys[done:], row[done:])
                if done < len(row):
                    self._unusual(part[done * BLOCK : (done + 1) * BLOCK], table, keys[done], row[done])
                    done += 1

    def take_over(self, counted: Counted) -> None:
        """Keep what a thread counted."""
        with self._lock:
            self._counted.append(counted)

    def finish(self, scratches: Iterable[Scratch]) -> tuple[Summary, Places]:
        """The summary, and where its extremes are."""
        for scratch in scratches:
            scratch.release(self)
        numbers, found, keys = self._rows()
        counted = self._counts()
        summary = self._narrow(found, counted) if self._kind.narrow else self._wide(found, keys, counted)
        return summary, self._places(numbers, found, keys)

    def _wide(self, found: NDArray[np.float64], keys: NDArray[np.int64], counted: Counted) -> Summary:
        """From rows and counts by bucket."""
        sums = found.sum(axis=0)
        filled = keys[found[:, rows.COUNT] > 0]
        zeros = int(sums[rows.ZEROS])
        return Summary(
            seen=int(sums[[rows.COUNT, rows.NAN, rows.POSINF, rows.NEGINF]].sum()),
            total=self._total,
            nan=int(sums[rows.NAN]),
            posinf=int(sums[rows.POSINF]),
            neginf=int(sums[rows.NEGINF]),
            zeros=zeros,
            min=self._kind.value(int(filled[:, 0].min())) if len(filled) else nan,
            max=self._kind.value(int(filled[:, 1].max())) if len(filled) else nan,
            moments=moments_of_rows(found[:, rows.MOMENTS]),
            counts=_buckets(counted, zeros, int(sums[rows.NEGATIVE_ZEROS]), self._kind.whole),
        )

    def _unusual(
        self,
        patterns: NDArray[np.unsignedinteger],
        table: Table,
        keys: NDArray[np.int64],
        row: NDArray[np.float64],
    ) -> None:
        """One block of whatever values: those that are not finite are counted apart."""
        finite = reference.finite_only(self._kind, patterns, row)
        if self._kernels is not None and 0 < len(finite) < len(patterns):
            done = self._kernels.summarise(self._kind, finite, table, keys[np.newaxis], row[np.newaxis])
            if done:
                return
        reference.summarise(self._kind, finite, table, keys, row)

    def _by_page(
        self, block: int, patterns: NDArray[np.unsignedinteger]
    ) -> Iterator[tuple[NDArray[np.unsignedinteger], NDArray[np.int64], NDArray[np.float64]]]:
        """The values of blocks that share a page, with the keys and rows to fill."""
        blocks, done = -(-len(patterns) // BLOCK), 0
        while done < blocks:
            page, first = divmod(block + done, PAGE)
            n = min(PAGE - first, blocks - done)
            with self._lock:
                found = self._pages.get(page)
                if found is None:
                    found = np.zeros((PAGE, rows.WIDTH)), np.zeros((PAGE, rows.KEYS), np.int64)
                    self._pages[page] = found
            yield patterns[done * BLOCK : (done + n) * BLOCK], found[1][first : first + n], found[0][first : first + n]
            done += n

    def _rows(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """Numbers, rows and keys of the blocks that were added, in order."""
        pages = sorted(self._pages)
        numbers = np.concatenate([np.empty(0, np.int64), *(np.arange(p * PAGE, (p + 1) * PAGE) for p in pages)])
        found = np.concatenate([np.empty((0, rows.WIDTH)), *(self._pages[p][0] for p in pages)])
        keys = np.concatenate([np.empty((0, rows.KEYS), np.int64), *(self._pages[p][1] for p in pages)])
        used = found[:, [rows.COUNT, rows.NAN, rows.POSINF, rows.NEGINF]].any(axis=1)
        keys = keys[used]
        if not self._kind.whole and self._kind.native.itemsize > 1:
            keys[keys == -1] = 0  # -0.0 and 0.0 are equal
        return numbers[used], found[used], keys

    def _places(self, numbers: NDArray[np.int64], found: NDArray[np.float64], keys: NDArray[np.int64]) -> Places:
        """The first block that holds each."""
        filled = found[:, rows.COUNT] > 0
        nans, infinite = found[:, rows.NAN] > 0, (found[:, rows.POSINF] > 0) | (found[:, rows.NEGINF] > 0)
        masks = [nans, infinite]
        if filled.any():
            masks[:0] = [
                filled & (keys[:, 0] == keys[filled, 0].min()),
                filled & (keys[:, 1] == keys[filled, 1].max()),
            ]
        else:
            masks[:0] = [filled, filled]
        return Places(*(Place(int(numbers[m.argmax()]), None) if m.any() else None for m in masks))

    def _counts(self) -> Counted:
        """What all threads counted."""
        if self._kernels is not None and self._counted:
            return reduce(self._kernels.join, self._counted)
        joined = [np.concatenate([np.empty(0, np.int64), *(c[i] for c in self._counted)]) for i in (0, 1)]
        return add_up(joined[0].astype(np.int64), joined[1].astype(np.int64))

    def _narrow(self, found: NDArray[np.float64], counted: Counted) -> Summary:
        """Kernels saw finite values only; the others are in the rows."""
        from dataclasses import replace

        summary = pattern_summary(self._kind, *counted, self._total)
        nans, positive, negative = (int(n) for n in found[:, [rows.NAN, rows.POSINF, rows.NEGINF]].sum(axis=0))
        seen = summary.seen + nans + positive + negative
        return replace(summary, seen=seen, nan=nans, posinf=positive, neginf=negative)


def _buckets(counted: Counted, zeros: int, negative_zeros: int, whole: bool) -> BucketCounts:
    """Counts by slot from counts by id, in which zeros share the buckets next to them."""
    ids, counts = counted[0].astype(np.int64), counted[1].astype(np.int64)
    counts[ids == 0] -= zeros - negative_zeros
    counts[ids == SIGN] -= negative_zeros
    slots = slots_of_ids(ids)
    negative = int(np.searchsorted(ids, SIGN))
    middle = ([ZERO], [zeros]) if zeros else ([], [])
    slots = np.concatenate((slots[negative:][::-1], np.array(middle[0], np.int32), slots[:negative]))
    counts = np.concatenate((counts[negative:][::-1], np.array(middle[1], np.int64), counts[:negative]))
    held = counts > 0
    return BucketCounts(slots[held], narrowest(counts[held]), whole)
