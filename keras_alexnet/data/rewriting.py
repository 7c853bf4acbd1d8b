"""Which picture files are accepted, and how Pillow rewrites those that TensorFlow does not read correctly."""

import io
import os

import numpy as np
from PIL import Image, ImageOps

MAX_PIXELS = 100_000_000  # ours: larger pictures are rejected from their header, before memory is allocated
# JPEG includes MPO, several JPEGs in one file, which many cameras write
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "AVIF")
REWRITTEN = ("BMP", "GIF", "TIFF", "AVIF")  # always
ORIENTATION = 0x0112  # the EXIF tag; 2 to 8 are mirrored or rotated


def needs_rewriting(file: str | os.PathLike) -> bool:
    """Return whether a picture file must go through `rewrite` before `decoding.decode`, judging by its header.

    These are files with an EXIF orientation (of PNG files, only before the pixels), files with transparency, animated
    WebP files, TIFF and AVIF files, which TensorFlow does not read, BMP files, because it does not read their palettes,
    and GIF files, of which it reads some first frames wrong.

    Args:
        file: Path of the file.

    Raises:
        OSError: If the file is not a picture of one of the formats.
        ValueError: If it has more than `MAX_PIXELS` pixels, or pixels of 32 bits, whose black and white are unknown.
    """
    try:
        opened = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError:  # Pillow's own limit of 179 megapixels, which is not a ValueError
        raise ValueError(f"more than {MAX_PIXELS // 10**6} megapixels") from None
    with opened as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"more than {MAX_PIXELS // 10**6} megapixels: {image.width} x {image.height}")
        if image.format == "TIFF" and image.mode in ("I", "F"):
            raise ValueError("pixels of 32 bits: convert it to 8 or 16 bits")
        # Image's own method, since that of PNG files decodes the whole picture to look for EXIF data behind the pixels
        rotated = Image.Image.getexif(image).get(ORIENTATION) in range(2, 9)
        animated_webp = image.format == "WEBP" and image.is_animated
        return rotated or image.format in REWRITTEN or animated_webp or image.has_transparency_data


def rewrite(picture: bytes) -> bytes:
    """Return a picture file as `upright` does.

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
    """Apply the EXIF orientation to the first frame of an opened picture and convert it to RGB.

    Transparent pixels become white, since a color that is stored there was never seen.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        image = _with_8_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _with_8_bits(image: Image.Image) -> Image.Image:
    """Return a 16-bit gray picture with 8 bits. Pillow's own conversion makes nearly everything white."""
    gray, transparent = np.asarray(image), image.info.get("transparency")
    converted = Image.fromarray((gray >> 8).astype(np.uint8))
    if transparent is not None:  # one of the 16-bit values
        converted.putalpha(Image.fromarray(np.where(gray == transparent, 0, 255).astype(np.uint8)))
    return converted
