"""`python -m scripts.draw_transitions`: draws docs/images/transitions.png.

Every transition at half time, from two pictures made here, with its name.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import font_roboto
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from common.media.blend import blend
from common.media.transitions import DESCRIPTIONS

TARGET = Path(__file__).parents[1] / "docs" / "images" / "transitions.png"
WIDTH, HEIGHT = 192, 108
COLUMNS = 7
GAP = 8
CAPTION = 20
LATE = {name: Fraction(7, 10) for name in ("zoomin", "circlecrop", "rectcrop")}
"""Those that show nothing of themselves at half time, and when they do."""


def picture(sky: tuple[int, int, int], ground: tuple[int, int, int], text: str) -> Image.Image:
    """A sun above a field, so that every direction can be told apart, and a large letter."""
    shade = np.linspace(1, 0.55, HEIGHT)[:, None, None]
    image = Image.fromarray((np.full((HEIGHT, WIDTH, 3), sky) * shade).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, HEIGHT * 2 // 3, WIDTH, HEIGHT), fill=ground)
    draw.ellipse((WIDTH - 62, 10, WIDTH - 30, 42), fill=(250, 240, 190))
    draw.text((WIDTH // 2, HEIGHT // 2 + 8), text, anchor="mm", fill=(255, 255, 255), font=font(64))
    return image


def font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_roboto.Roboto, size)


def blended(kind: str, before: Image.Image, after: Image.Image) -> Image.Image:
    """The transition at half time (or when there is something to see of it)."""
    frames = 99
    shown = round(LATE.get(kind, Fraction(1, 2)) * (frames + 1))

    def side(image: Image.Image) -> Iterator[av.VideoFrame]:
        for _ in range(frames):
            yield av.VideoFrame.from_image(image)

    made = list(blend(kind, side(before), side(after), frames=frames, rate=Fraction(50)))
    return made[shown - 1].to_image()


def main() -> None:
    before = picture((70, 120, 190), (40, 110, 60), "A")
    after = picture((200, 90, 50), (110, 60, 130), "B")
    rows = -(-len(DESCRIPTIONS) // COLUMNS)
    size = (COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + CAPTION + GAP) + GAP)
    sheet = Image.new("RGB", size, (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for number, kind in enumerate(DESCRIPTIONS):
        row, column = divmod(number, COLUMNS)
        left, top = GAP + column * (WIDTH + GAP), GAP + row * (HEIGHT + CAPTION + GAP)
        sheet.paste(blended(kind, before, after), (left, top))
        draw.text(
            (left + WIDTH // 2, top + HEIGHT + CAPTION // 2),
            kind,
            anchor="mm",
            fill=(20, 20, 20),
            font=font(14),
        )
    sheet.quantize(256).save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
