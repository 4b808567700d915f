"""The transitions that there are between two ranges, and how editors read of them. Pure.

Most are those of ffmpeg's filter xfade, under its names; its `custom` is left out, since an editor
has no expressions to write. The others are our own; `common.media.wipes` draws them.

The sound of every transition is a cross-fade of equal power: two ranges are different moments,
their sounds have nothing to do with each other, and of such sounds the powers add up. A linear
cross-fade would dip by 3 dB in its middle.
"""

from collections.abc import Mapping

from common.errors import BadParameter

XFADE: Mapping[str, str] = {
    "fade": "One picture fades into the other.",
    "fadefast": "A fade that hurries where the pictures differ much.",
    "fadeslow": "A fade that lingers where the pictures differ much.",
    "fadeblack": "Fades to black, then from black to the next.",
    "fadewhite": "Fades to white, then from white to the next.",
    "fadegrays": "Loses its colours on the way, and gains the next one's.",
    "dissolve": "Turns into the next pixel by pixel, like sand.",
    "pixelize": "Breaks up into large pixels, which become the next.",
    "hblur": "Blurs sideways, and clears up as the next.",
    "distance": "A fade in which what differs most turns first.",
    "wipeleft": "An edge wipes the picture away towards the left.",
    "wiperight": "An edge wipes the picture away towards the right.",
    "wipeup": "An edge wipes the picture away upwards.",
    "wipedown": "An edge wipes the picture away downwards.",
    "wipetl": "Wiped away towards the top left corner.",
    "wipetr": "Wiped away towards the top right corner.",
    "wipebl": "Wiped away towards the bottom left corner.",
    "wipebr": "Wiped away towards the bottom right corner.",
    "smoothleft": "A soft edge wipes towards the left.",
    "smoothright": "A soft edge wipes towards the right.",
    "smoothup": "A soft edge wipes upwards.",
    "smoothdown": "A soft edge wipes downwards.",
    "diagtl": "A soft slanted edge wipes towards the top left.",
    "diagtr": "A soft slanted edge wipes towards the top right.",
    "diagbl": "A soft slanted edge wipes towards the bottom left.",
    "diagbr": "A soft slanted edge wipes towards the bottom right.",
    "slideleft": "The next pushes the picture out to the left.",
    "slideright": "The next pushes the picture out to the right.",
    "slideup": "The next pushes the picture out at the top.",
    "slidedown": "The next pushes the picture out at the bottom.",
    "coverleft": "The next slides over the picture, moving left.",
    "coverright": "The next slides over the picture, moving right.",
    "coverup": "The next slides over the picture, moving up.",
    "coverdown": "The next slides over the picture, moving down.",
    "revealleft": "The picture slides off to the left; the next lies below it.",
    "revealright": "The picture slides off to the right; the next lies below it.",
    "revealup": "The picture slides off upwards; the next lies below it.",
    "revealdown": "The picture slides off downwards; the next lies below it.",
    "circlecrop": "A circle closes to black, then opens on the next.",
    "rectcrop": "A rectangle closes to black, then opens on the next.",
    "circleopen": "The next shows in a circle that grows from the middle.",
    "circleclose": "The picture shrinks away in a circle.",
    "vertopen": "Opens like a door, from the middle to the sides.",
    "vertclose": "Closes like a door, from the sides to the middle.",
    "horzopen": "Opens from the middle line upwards and downwards.",
    "horzclose": "Closes from top and bottom to the middle line.",
    "radial": "A soft hand sweeps around the middle.",
    "hlslice": "Slats turn to the next, one after another from the right.",
    "hrslice": "Slats turn to the next, one after another from the left.",
    "vuslice": "Slats turn to the next, one after another from the bottom.",
    "vdslice": "Slats turn to the next, one after another from the top.",
    "hlwind": "Blown away to the left in streaks.",
    "hrwind": "Blown away to the right in streaks.",
    "vuwind": "Blown away upwards in streaks.",
    "vdwind": "Blown away downwards in streaks.",
    "squeezeh": "Squeezed flat to the middle line; the next lies behind it.",
    "squeezev": "Squeezed thin to the middle; the next lies behind it.",
    "zoomin": "Zooms into the picture until the next fades in.",
}
"""Name and description of each transition of ffmpeg's xfade."""

OWN: Mapping[str, str] = {
    "clock": "A clock's hand wipes once around, starting at twelve.",
    "diamond": "The next shows in a diamond that grows from the middle.",
    "diamondclose": "The picture shrinks away in a diamond.",
    "blinds": "Wiped downwards in eight strips at once, like blinds.",
    "checkers": "A chessboard's fields turn to the next, first the white ones.",
}
"""The same of our own."""

DESCRIPTIONS: Mapping[str, str] = {**XFADE, **OWN}
"""Of all transitions, in the order in which editors see them."""


def check_transition(kind: str, seconds: float) -> None:
    """Raises BadParameter if there is no such transition, or it has no length."""
    if kind not in DESCRIPTIONS:
        raise BadParameter(
            "transition",
            f"there is none named {kind!r}; those there are: {', '.join(DESCRIPTIONS)}",
        )
    # Comparisons with NaN are false, so that it is refused too.
    if not 0 < seconds < float("inf"):
        raise BadParameter("transition", f"{seconds} is no length in seconds above 0")
