"""Names of extras: files of the store that are no segments, such as thumbnail templates. Pure.

Any listed folder of the store is replicated whole. What is hidden or unfinished is nobody's
business, and a path that another machine names must not lead out of the folder.
"""

TEMPLATES = "thumbnail_templates"
"""The folder of thumbnail templates."""
COVERAGE_MAPS = "coverage-maps"
"""The folder of what `segment_coverage` draws and writes."""
KNOWN_EXTRAS = frozenset({TEMPLATES, COVERAGE_MAPS})
"""Folders beside the channels that are no channels."""

# How unfinished files are named, by us and by common tools.
_UNFINISHED = (".temp", ".tmp", ".part")
_LONGEST_NAME_BYTES = 200
_DEEPEST = 16


def is_visible(name: str) -> bool:
    """Whether a path's component may be shown. `..` is hidden like all that begins with a dot."""
    return (
        bool(name)
        and not name.startswith(".")
        and not name.endswith(_UNFINISHED)
        and "/" not in name
        and "\0" not in name
        and "-temp-" not in name
    )


def is_safe_path(path: str) -> bool:
    """Whether a relative path that another machine names may be written below an extras' folder."""
    parts = path.split("/")
    return len(parts) <= _DEEPEST and all(map(_is_safe, parts))


def _is_safe(name: str) -> bool:
    return is_visible(name) and name.isprintable() and len(name.encode()) <= _LONGEST_NAME_BYTES
