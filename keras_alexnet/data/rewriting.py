"""Which picture files are accepted, and how Pillow rewrites those that TensorFlow does not read correctly."""

import io
import os

from PIL import Image, ImageOps

MAX_PIXELS = 100_000_000  # ours: larger pictures are rejected from their header, before memory is allocated
# JPEG includes MPO, several JPEGs in one file, which many cameras write
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
ORIENTATION = 0x0112  # the EXIF tag; 2 to 8 are mirrored or rotated


def needs_rewriting(file: str | os.PathLike) -> bool:
    """Return whether a picture file must go through `rewrite` before `decoding.decode`, judging by its header.

    These are JPEG and WebP files with an EXIF orientation, WebP files with animation or alpha, and BMP files, because
    TensorFlow does not read their palettes.

    Args:
        file: Path of the file.

    Raises:
        OSError: If the file is not a picture of one of the formats.
        ValueError: If it has more than `MAX_PIXELS` pixels.
    """
    try:
        opened = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as error:  # Pillow's own limit of 179 megapixels, which is not a ValueError
        raise ValueError(str(error)) from None
    with opened as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"more than {MAX_PIXELS // 10**6} megapixels: {image.width} x {image.height}")
        rotated = image.format not in ("PNG", "GIF") and image.getexif().get(ORIENTATION) in range(2, 9)
        webp = image.format == "WEBP" and (image.is_animated or image.mode == "RGBA")
        return rotated or image.format == "BMP" or webp


def rewrite(picture: bytes) -> bytes:
    """Apply the EXIF orientation to the first frame of a picture file and convert it to RGB.

    Args:
        picture: The bytes of the file.

    Returns:
        The bytes of a BMP file, which is lossless.
    """
    with Image.open(io.BytesIO(picture), formats=FORMATS) as image:
        bitmap = io.BytesIO()
        upright(image).save(bitmap, "BMP")
    return bitmap.getvalue()


def upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation to the first frame of an opened picture and convert it to RGB."""
    return ImageOps.exif_transpose(image).convert("RGB")
