"""HDF5 files, read by the standard library alone: groups, attributes, and where the values of datasets lie.

Follows the HDF5 File Format Specification 3.0 (superblocks 0 to 3, both kinds of object headers and groups, dense and
shared storage, all indexes of chunks). Knows neither Keras nor tensors' meaning, decodes no weights, runs no filter.
"""

from __future__ import annotations

from wtui.formats.hdf5.dataset import Dataset
from wtui.formats.hdf5.group import Group
from wtui.formats.hdf5.superblock import SIGNATURE, find_superblock, open_hdf5
from wtui.formats.hdf5.values import AttrValue

__all__ = ["SIGNATURE", "AttrValue", "Dataset", "Group", "find_superblock", "open_hdf5"]
