"""Image sets as tensors: `load` one by its name, or `load_folder` for your own; cut it into `batches`."""

from pcltut.data.catalog import DataInfo, available, get, load, verify
from pcltut.data.folder import load_folder
from pcltut.data.images import Batch, DataError, Images, batches

__all__ = ["Batch", "DataError", "DataInfo", "Images", "available", "batches", "get", "load", "load_folder", "verify"]
