"""An image file, decoded; or one line that says which file cannot be, and why."""

from pathlib import Path
from typing import Any

from pcltut.data.images import DataError


def open_picture(path: Path, mode: str, remedy: str = "") -> Any:
    """Pillow's image of a file, upright, in a mode of Pillow's: "L" for gray, "RGB" for color."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert(mode)
    except (OSError, ValueError) as error:  # missing, not an image, or cut off
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: the image cannot be read ({reason})", remedy) from error
