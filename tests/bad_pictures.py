"""Unusual but readable picture files, and broken ones, created here."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

COLOR = (200, 120, 40)


def picture(width=40, height=30, seed=0):
    """Return a picture of one color with noise, which can be recognized by its mean."""
    noise = np.random.default_rng(seed).integers(-20, 21, (height, width, 3))
    return Image.fromarray(np.uint8(np.array(COLOR) + noise))


def encoded(image, kind, **settings):
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def bomb_png():
    """Return a header of 20000 x 20000 pixels without data."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def bomb_jpeg():
    contents = bytearray(encoded(picture(), "JPEG"))
    place = contents.index(b"\xff\xc0") + 5
    contents[place : place + 4] = struct.pack(">HH", 20000, 20000)
    return bytes(contents[: place + 40])


def bomb_gif():
    return b"GIF89a" + struct.pack("<HH", 20000, 20000) + b"\x80\0\0" + bytes(6) + b","


def bomb_bmp():
    contents = bytearray(encoded(picture(), "BMP"))
    contents[18:26] = struct.pack("<ii", 20000, 20000)
    return bytes(contents[:60])


def odd():
    """Return files that can be read, by name."""
    upright = picture()
    gray, turned = upright.convert("L"), Image.Exif()
    turned[0x0112] = 6
    animated, see_through = [upright, picture(seed=1)], upright.convert("RGBA")
    see_through.putalpha(128)
    files = {
        "gray.jpg": encoded(gray, "JPEG"),
        "gray.png": encoded(gray, "PNG"),
        "gray-alpha.png": encoded(gray.convert("LA"), "PNG"),
        "alpha.png": encoded(upright.convert("RGBA"), "PNG"),
        "alpha.webp": encoded(see_through, "WEBP"),
        "palette.png": encoded(upright.convert("P"), "PNG"),
        "palette.bmp": encoded(upright.convert("P"), "BMP"),
        "palette.gif": encoded(upright, "GIF"),
        "one-bit.png": encoded(upright.convert("1"), "PNG"),
        "16-bit.png": encoded(Image.fromarray(np.uint16(np.array(gray)) * 257), "PNG"),
        "cmyk.jpg": encoded(upright.convert("CMYK"), "JPEG"),
        "progressive.jpg": encoded(upright, "JPEG", progressive=True),
        "turned.jpg": encoded(upright, "JPEG", exif=turned),
        "turned.webp": encoded(upright, "WEBP", exif=turned),
        "animated.gif": encoded(animated[0], "GIF", save_all=True, append_images=animated[1:]),
        "animated.webp": encoded(animated[0], "WEBP", save_all=True, append_images=animated[1:]),
        "1-by-1.png": encoded(picture(1, 1), "PNG"),
        "1-by-1.jpg": encoded(picture(1, 1), "JPEG"),
        "1-by-20000.png": encoded(picture(1, 20000), "PNG"),
        "20000-by-1.jpg": encoded(picture(20000, 1), "JPEG"),
        "png-named.jpg": encoded(upright, "PNG"),
        "jpeg-named.png": encoded(upright, "JPEG"),
        "gif-named.webp": encoded(upright, "GIF"),
        "lzw.tif": encoded(upright, "TIFF", compression="tiff_lzw"),
        "jpeg.tiff": encoded(upright, "TIFF", compression="jpeg"),
        "16-bit.tif": encoded(Image.fromarray(np.uint16(np.array(gray)) * 257), "TIFF"),
        "cmyk.tif": encoded(upright.convert("CMYK"), "TIFF"),
        "turned.tif": encoded(upright, "TIFF", exif=turned),
        "pages.tiff": encoded(animated[0], "TIFF", save_all=True, append_images=animated[1:]),
        "alpha.tif": encoded(see_through, "TIFF"),
        "tiff-named.jpg": encoded(upright, "TIFF"),
        "photo.avif": encoded(upright, "AVIF"),
        "alpha.avif": encoded(see_through, "AVIF"),
        "UPPER.JPG": encoded(upright, "JPEG"),
        "name with spaces & ünicode.png": encoded(upright, "PNG"),
        "text-behind.png": encoded(upright, "PNG") + b"and more",
    }
    return files


def broken():
    """Return files that cannot be read, by name."""
    whole = {kind: encoded(picture(), kind) for kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "AVIF")}
    cuts = {
        f"cut-{kind}-{share}.{kind.lower()}": contents[: len(contents) * share // 100]
        for kind, contents in whole.items()
        for share in (5, 25, 50, 75, 90)
    }
    png = bytearray(whole["PNG"])
    png[len(png) // 2] ^= 0xFF
    return cuts | {
        "empty.jpg": b"",
        "empty.png": b"",
        "zeros.jpg": bytes(1000),
        "zeros.gif": bytes(1000),
        "text.jpg": b"This is no picture.\n" * 50,
        "page.png": b"<html><body>404 Not Found</body></html>",
        "signature.jpg": b"\xff\xd8\xff",
        "signature.png": b"\x89PNG\r\n\x1a\n",
        "flipped.png": bytes(png),
        "svg.png": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "32-bit.tif": encoded(picture().convert("F"), "TIFF"),
        "bomb.png": bomb_png(),
        "bomb.jpg": bomb_jpeg(),
        "bomb.gif": bomb_gif(),
        "bomb.bmp": bomb_bmp(),
    }


def mutated(contents, random):
    """Return a file with some bytes changed, cut out or doubled."""
    contents = bytearray(contents)
    for _ in range(random.integers(1, 6)):
        place = int(random.integers(len(contents)))
        length = int(random.integers(1, 30))
        match random.integers(5):
            case 0:
                contents[place] = random.integers(256)
            case 1:
                contents[place] ^= 1 << int(random.integers(8))
            case 2:
                del contents[place : place + length]
            case 3:
                contents[place:place] = contents[place : place + length]
            case 4:
                contents[place : place + 4] = random.bytes(4)
        if len(contents) < 8:
            break
    return bytes(contents)
