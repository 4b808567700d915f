"""Upload location `local`: videos as files in a folder.

    {"type": "local", "path": "/videos", "cut_type": "mp4", "url_prefix": "https://host/videos/",
     "write_info": true}

- A video is cut into a hidden temp file in that folder, flushed, renamed to
  `EVENTID_HASH.mp4` (HASH: the first 12 hexadecimal digits of its SHA-256), and the folder flushed.
  So a published name is never written again, and "did it happen?" is "is that file there, with that
  size and hash?".
- Cutters may share a folder, and may have different folders under the same location's name. The
  hidden file `.wubloader-folder` holds a random identity, which stands in every session: a cutter
  never answers for a folder that it does not have.
- An archive is a folder of files instead, published by the same rename: `EVENTID_HASH`, with the
  hash of its files' names and hashes.
- With `write_info` a JSON file `EVENTID_HASH.json` beside the video holds title, description, tags.
"""

import hashlib
import json
import shutil
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.errors import ConfigError
from common.files import sync
from common.media.request import CutType
from cutter.backends.base import Upload
from cutter.event import Event
from cutter.job import Answer

_IDENTITY = ".wubloader-folder"
_HASH_DIGITS = 12
_READ_BYTES = 1024 * 1024


class LocalBackend:
    """See the module's description. Raises ConfigError if the folder cannot be used.

    `owner` is the cutter's name: its own temp files carry it, and only those are swept. `suffix`
    ends the names of videos; by default it is that of the cut's type.
    """

    def __init__(
        self,
        *,
        folder: Path,
        owner: str,
        cut_type: CutType = CutType.MP4,
        ffmpeg_args: tuple[str, ...] = (),
        suffix: str | None = None,
        url_prefix: str | None = None,
        write_info: bool = False,
    ) -> None:
        self.cut_type = cut_type
        self.ffmpeg_args = ffmpeg_args
        self._folder = folder.absolute()
        self._temp_prefix = f".cutting-{owner}~"
        self._url_prefix = url_prefix
        self._write_info = write_info
        self._suffix = suffix or cut_type.suffix
        try:
            self._identity = _identify(self._folder)
        except OSError as exc:
            raise ConfigError(f"the folder {folder} cannot be used: {exc.strerror}") from exc

    def sweep(self) -> int:
        """Remove the temp files of this cutter's earlier life. Only one cutter has its name."""
        left = [path for path in self._folder.iterdir() if path.name.startswith(self._temp_prefix)]
        for path in left:
            _remove(path)
        return len(left)

    @contextmanager
    def scratch(self, event: Event) -> Iterator[Path]:
        path = self._folder / f"{self._temp_prefix}{event.id}-{uuid.uuid4()}{self._suffix}"
        try:
            yield path
        finally:
            _remove(path)

    def begin(self, event: Event, file: Path) -> dict[str, Any]:
        _sync_all(file)
        sha256 = _sha256(file)
        return {
            "backend": "local",
            "folder": self._identity,
            "temp": file.name,
            "name": f"{event.id}_{sha256[:_HASH_DIGITS]}{self._suffix}",
            "size_bytes": _size_bytes(file),
            "sha256": sha256,
        }

    def commit(self, session: Mapping[str, Any]) -> None:
        (self._folder / session["temp"]).rename(self._folder / session["name"])
        sync(self._folder)

    def can_ask(self, session: Mapping[str, Any]) -> bool:
        return session.get("folder") == self._identity

    def ask(self, session: Mapping[str, Any]) -> Upload:
        if not self._is_there(session):
            # Without the temp file a commit that is still on its way fails, so the second look is
            # final.
            _remove(self._folder / session["temp"])
            if not self._is_there(session):
                return Upload(answer=Answer.ABSENT)
        sync(self._folder)
        name = session["name"]
        return Upload(answer=Answer.PUBLISHED, video_id=name, video_link=self._link(name))

    def describe(self, event: Event, video_id: str) -> None:
        if not self._write_info:
            return
        info = {"title": event.title, "description": event.description, "tags": list(event.tags)}
        temp = self._folder / f"{self._temp_prefix}{event.id}-{uuid.uuid4()}.json"
        try:
            temp.write_text(json.dumps(info, indent=2, ensure_ascii=False) + "\n", "utf-8")
            sync(temp)
            temp.rename(self._folder / f"{video_id.removesuffix(self._suffix)}.json")
        finally:
            temp.unlink(missing_ok=True)
        sync(self._folder)

    def _is_there(self, session: Mapping[str, Any]) -> bool:
        path = self._folder / session["name"]
        try:
            same_size = _size_bytes(path) == session["size_bytes"]
            return bool(same_size and _sha256(path) == session["sha256"])
        except FileNotFoundError:
            return False

    def _link(self, name: str) -> str:
        if self._url_prefix is None:
            return (self._folder / name).as_uri()
        return self._url_prefix + urllib.parse.quote(name)


def _identify(folder: Path) -> str:
    """The folder's identity, made now if it has none. Several cutters may start at once."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _IDENTITY
    if not path.exists():
        draft = folder / f"{_IDENTITY}-{uuid.uuid4()}"
        draft.write_text(f"{uuid.uuid4()}\n", "ascii")
        sync(draft)
        try:
            path.hardlink_to(draft)  # unlike a rename, it fails where another was faster
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        sync(folder)
    return path.read_text("ascii").strip()


def _sync_all(path: Path) -> None:
    """Flush a file, or a folder and what is in it."""
    for inner in path.iterdir() if path.is_dir() else ():
        sync(inner)
    sync(path)


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        # At one stroke, so that nobody who publishes it meanwhile gets a part.
        gone = path.with_name(f"{path.name}~gone")
        path.rename(gone)
        shutil.rmtree(gone)
    else:
        path.unlink(missing_ok=True)


def _size_bytes(path: Path) -> int:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def _sha256(path: Path) -> str:
    """Of a file; of a folder the hash of its files' names and hashes."""
    digest = hashlib.sha256()
    if path.is_dir():
        for inner in sorted(path.iterdir()):
            digest.update(f"{_sha256(inner)} {inner.name}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
