"""A frame under a template: how thumbnails are made."""

import base64
import io
from pathlib import Path

from PIL import Image

from common.errors import MediaError
from common.media.pictures import Template

MAX_PIXELS = 4096
"""Of a template's side, and of every coordinate of a box."""


def compose(frame: Image.Image, template: Template) -> Image.Image:
    """`frame` cropped, scaled into the template's location, and the template above it.

    The result is as large as the template; what nothing covers is black. Raises MediaError if the
    template is no PNG that we take.
    """
    above = _load(template)
    crop = template.crop or (0, 0, *frame.size)
    left, upper, right, lower = template.location or (0, 0, *above.size)
    scaled = frame.crop(crop).resize((right - left, lower - upper), Image.Resampling.LANCZOS)
    result = Image.new("RGB", above.size)
    result.paste(scaled, (left, upper))
    result.paste(above, mask=above)
    return result


def _load(template: Template) -> Image.Image:
    try:
        if template.path is not None:
            return _opened(Path(template.path).read_bytes())
        return _opened(base64.b64decode(template.png_base64 or ""))
    # Pillow has no common base for what is wrong with a file.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as exc:
        raise MediaError("the template is no PNG that can be read") from exc


def _opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data), formats=["PNG"])
    # Before anything is decoded: a few bytes can stand for gigabytes of pixels.
    if max(picture.size) > MAX_PIXELS:
        raise MediaError(f"the template is larger than {MAX_PIXELS} pixels")
    return picture.convert("RGBA")
