"""HDF5 files, read by the standard library alone: groups, attributes, and where the values of datasets lie.

Follows the HDF5 File Format Specification 3.0: superblocks 0 to 3, both kinds of object headers and groups, dense and
shared storage, every index of chunks; whatever HDF5 1.6 to 2.0 write. Knows neither Keras nor what tensors mean,
decodes no weights, runs no filter.

No library stands behind it. pyfive 1.3 understands less (no layout of version 4, so none of the chunk indexes that
libver="latest" writes; no attributes of a named type; names out of creation order) and brings numpy into the first
frame. h5py understands more only in compressed heaps and SZIP, and holds one lock around a C parser of untrusted bytes.
"""

from __future__ import annotations

from wtui.formats.hdf5.dataset import Dataset
from wtui.formats.hdf5.group import Group
from wtui.formats.hdf5.superblock import SIGNATURE, find_superblock, open_hdf5
from wtui.formats.hdf5.values import AttrValue

__all__ = ["SIGNATURE", "AttrValue", "Dataset", "Group", "find_superblock", "open_hdf5"]
