"""Decoding of all kinds of picture files to RGB, and resizing."""

import functools
import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_alexnet.data import decoding, rewriting


def smooth(height=60, width=90):
    """A picture that JPEG and resampling leave nearly as it is."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = np.stack([np.sin(5 * x + 1), np.cos(7 * y), np.sin(4 * (x + y))], axis=-1)
    return np.uint8(np.round(127.5 + 100 * waves))


def encoded(array_or_image, kind, **options):
    image = array_or_image if isinstance(array_or_image, Image.Image) else Image.fromarray(array_or_image)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pillow(picture):
    with Image.open(io.BytesIO(picture)) as image:
        return np.asarray(image.convert("RGB"))


def on_white(rgba):
    """Blend a picture with white."""
    color, alpha = np.split(np.float64(rgba), [3], axis=-1)
    return (color * alpha + 255 * (255 - alpha)) / 255


def decoded(picture, tmp_path):
    """As a folder's files are read."""
    file = tmp_path / "file"
    file.write_bytes(picture)
    return decoding.decode(rewriting.rewrite(picture) if rewriting.needs_rewriting(file) else picture).numpy()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_lossless_modes_become_rgb(kind, mode, tmp_path):
    if (kind, mode) == ("BMP", "LA"):
        pytest.skip("BMP has no gray with alpha")
    # opaque; a test below has transparency
    picture = encoded(Image.fromarray(smooth()).convert(mode), kind, **({"lossless": True} if kind == "WEBP" else {}))
    np.testing.assert_array_equal(decoded(picture, tmp_path), pillow(picture))


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_jpeg_modes_become_rgb(mode, options, tmp_path):
    picture = encoded(Image.fromarray(smooth()).convert(mode), "JPEG", quality=95, **options)
    difference = np.abs(decoded(picture, tmp_path).astype(int) - pillow(picture))
    assert difference.mean() < 1.5
    assert difference.max() < 16


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparency_is_blended_with_white(kind, tmp_path):
    picture = np.dstack([smooth(), np.tile(np.linspace(0, 255, 90).astype(np.uint8), (60, 1))])
    contents = encoded(picture, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    np.testing.assert_allclose(decoded(contents, tmp_path), on_white(picture), atol=1.01)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_transparent_colors_of_a_palette_are_white(kind, tmp_path):
    """A black square on transparency, whose hidden color is black too."""
    indices = np.zeros((60, 90), np.uint8)
    indices[20:40, 30:60] = 1
    image = Image.fromarray(indices, "P")
    image.putpalette(bytes(768))
    expected = np.where(indices == 1, 0, 255)[..., None].repeat(3, -1)
    np.testing.assert_array_equal(decoded(encoded(image, kind, transparency=0), tmp_path), expected)


def test_a_transparent_level_of_16_bit_gray_is_white(tmp_path):
    """Only this level, not the others of the same 8 bits."""
    levels = np.uint16([[0, 1, 40_000], [65_535, 0, 255]])
    picture = encoded(Image.fromarray(levels), "PNG", transparency=0)
    expected = np.uint8([[255, 0, 156], [255, 255, 0]])[..., None].repeat(3, -1)
    np.testing.assert_array_equal(decoded(picture, tmp_path), expected)


def test_a_first_frame_that_is_smaller_than_its_animation(tmp_path):
    """Made by hand, since Pillow writes whole frames: the frame is moved to the right and down by 10 and 5 pixels."""
    whole = encoded(Image.fromarray(smooth(20, 30)).quantize(16), "GIF")
    frame = bytearray(whole)
    frame[6:10] = struct.pack("<HH", 90, 60)
    place = frame.index(b"," + struct.pack("<HHHH", 0, 0, 30, 20))
    frame[place + 1 : place + 5] = struct.pack("<HH", 10, 5)
    pixels = decoded(bytes(frame), tmp_path)
    assert pixels.shape == (60, 90, 3)
    np.testing.assert_array_equal(pixels[5:25, 10:40], pillow(whole))


def test_upper_8_of_16_bits(tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (60, 90), dtype=np.uint16)
    rgb = decoded(encoded(deep, "PNG"), tmp_path)
    np.testing.assert_array_equal(rgb, np.dstack([deep >> 8] * 3))


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_first_frame(kind, tmp_path):
    frames = [Image.fromarray(array).convert("P") for array in (smooth(), smooth()[::-1])]
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(decoded(picture, tmp_path), np.asarray(frames[0].convert("RGB")))


# What undoes each EXIF orientation, by the standard's definition of where row 0 and column 0 of the file belong.
UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: stored.transpose(1, 0, 2)[:, ::-1],
    7: lambda stored: stored.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda stored: stored.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation(kind, orientation, tmp_path):
    exif = Image.Exif()
    exif[rewriting.ORIENTATION] = orientation
    picture = encoded(smooth(), kind, exif=exif, quality=95)
    difference = np.abs(decoded(picture, tmp_path).astype(int) - UPRIGHT[orientation](pillow(picture)))
    assert difference.mean() < 1.5


def test_more_than_100_megapixels_are_refused_by_the_header(tmp_path):
    header = b"IHDR" + struct.pack(">IIBBBBB", 10_001, 10_000, 8, 2, 0, 0, 0)
    file = tmp_path / "vast.png"
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    file.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    )
    with pytest.warns(Image.DecompressionBombWarning), pytest.raises(ValueError, match="10001 x 10000"):
        rewriting.needs_rewriting(file)


@functools.cache
def loader(spec, side):
    """As in tf.data, where shapes are unknown."""
    function = tf.function(lambda picture: decoding.load_resized(picture, side), [spec], autograph=False)
    assert function.get_concrete_function().output_shapes == (side, side, 3)
    return function


def loaded(pictures, side):
    pictures = [tf.constant(picture) for picture in pictures]
    return np.stack([loader(tf.TensorSpec.from_tensor(picture), side)(picture) for picture in pictures])


def by_pillow(picture, side):
    """Resize the shorter side with antialiasing, then crop the center: the paper's order."""
    image = Image.fromarray(pillow(picture))
    scale = side / min(image.size)
    image = image.resize([round(length * scale) for length in image.size], Image.Resampling.BILINEAR)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return np.asarray(image.crop((left, top, left + side, top + side)))


SHAPES = [(250, 350), (350, 250), (240, 320), (239, 321), (128, 128), (129, 167), (50, 100), (550, 511), (1030, 1050)]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("shape", SHAPES)
def test_resized_picture_agrees_with_pillow(kind, shape):
    picture = encoded(smooth(*shape), kind)
    (result,) = loaded([picture], 128)
    difference = np.abs(result.astype(int) - by_pillow(picture, 128))
    assert difference.mean() < 2.5  # the center may lie half a pixel apart
    assert difference.max() < 14


@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_jpeg_sizes_around_its_ratios(ratio):
    """120 pixels are enough to be enlarged to 128."""
    lengths = [enough * ratio + more for enough in (120, 128) for more in (-1, 0, 1)]
    pictures = [encoded(smooth(length, length + 13), "JPEG") for length in lengths]
    for picture, result in zip(pictures, loaded(pictures, 128), strict=True):
        assert np.abs(result.astype(int) - by_pillow(picture, 128)).mean() < 2


LOAD_CROP = tf.function(decoding.load_crop, autograph=False)


@pytest.mark.parametrize("shape", [(250, 350), (350, 250), (129, 167), (550, 511), (121, 130), (64, 90)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_crop_of_a_file_equals_crop_of_the_resized_picture(kind, shape):
    picture = tf.constant(encoded(smooth(*shape), kind))
    resized = decoding.load_resized(picture, 128).numpy().astype(int)
    for top, left in [(0, 0), (15, 3), (8, 15)]:
        part = LOAD_CROP(picture, 128, tf.constant([top, left]), 113).numpy()
        difference = np.abs(part - resized[top : top + 113, left : left + 113])
        decoded_alone = kind == "JPEG" and min(shape) >= 120
        assert difference.mean() < (1.5 if decoded_alone else 1e-9)  # a pixel apart would be 3


def test_crop_of_an_image():
    image = tf.constant(smooth(64, 64))
    part = decoding.load_crop(image, 64, tf.constant([5, 7]), 50)
    np.testing.assert_array_equal(part, image[5:55, 7:57])
    assert decoding.load_crop(tf.cast(image, tf.float32), 64, tf.constant([0, 0]), 50).dtype == tf.float32


@pytest.mark.parametrize("shape", [(64, 64), (64, 101), (101, 64)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_of_the_right_size_does_not_change(kind, shape):
    picture = encoded(np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8), kind)
    whole = decoding.decode(picture).numpy()
    top, left = (shape[0] - 64) // 2, (shape[1] - 64) // 2
    np.testing.assert_array_equal(loaded([picture], 64)[0], whole[top : top + 64, left : left + 64])


def test_images_need_no_decoding():
    np.testing.assert_array_equal(loaded([smooth(64, 64)], 64)[0], smooth(64, 64))
    assert loaded([smooth(64, 96)], 32).shape == (1, 32, 32, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_fine_stripes_become_gray(kind):
    """Sampling one pixel in four without antialiasing would give black or white."""
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 255
    (result,) = loaded([encoded(stripes, kind, **({"subsampling": 0} if kind == "JPEG" else {}))], 256)
    assert np.abs(result.astype(int) - 127.5).max() < 12  # at the border


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_broken_files_are_found(kind):
    picture = encoded(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8), kind)
    with pytest.raises(tf.errors.InvalidArgumentError):
        decoding.decode(picture[: len(picture) // 2])


@pytest.mark.parametrize("orientation", [1, 3])
def test_16_bit_gray_is_not_clipped(orientation, tmp_path):
    gray = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    exif = Image.Exif()
    exif[rewriting.ORIENTATION] = orientation
    Image.fromarray(gray).save(tmp_path / "gray.png", exif=exif)
    contents = (tmp_path / "gray.png").read_bytes()
    if decoding.needs_rewriting(tmp_path / "gray.png"):
        contents = decoding.rewrite(contents)
    expected = gray if orientation == 1 else gray[::-1, ::-1]
    np.testing.assert_allclose(decoding.decode(contents).numpy()[..., 0], 255 * (expected / 65535), atol=1)


def test_a_crop_in_the_last_corner_stays_inside_the_picture():
    """In pixels of the file its place is 7.5 and its size 103.5: rounded, 8 and 104 of 111 pixels."""
    contents = tf.io.encode_jpeg(np.zeros((111, 111, 3), np.uint8))
    assert decoding.load_crop(contents, 74, tf.constant([5, 5]), 69).shape == (69, 69, 3)
