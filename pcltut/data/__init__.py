"""Named image sets as tensors, verified: `load` one, cut it into `batches`, see what is `available`."""

from pcltut.data.catalog import DataInfo, available, get, load, verify
from pcltut.data.images import Batch, DataError, Images, batches

__all__ = ["Batch", "DataError", "DataInfo", "Images", "available", "batches", "get", "load", "verify"]
