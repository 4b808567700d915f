"""`python -m bench.receiver URL FOLDER COUNT`: the least that recording a segment takes.

Fetches segments 0 to COUNT - 1 below URL over one connection. Each is hashed, written, flushed to
disk and renamed, and its folder flushed. Prints the CPU seconds of that.
"""

import hashlib
import http.client
import os
import time
from pathlib import Path
from urllib.parse import urlsplit

import click

from bench.stream import SEGMENT_BYTES

_CHUNK_BYTES = 128 * 1024


@click.command()
@click.argument("url")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("count", type=int)
def command(url: str, folder: Path, count: int) -> None:
    """Record COUNT segments as cheaply as a simple loop can."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=30)
    connection.connect()
    started = time.process_time()
    for index in range(count):
        connection.request("GET", f"{address.path}/{index}.ts")
        _store(connection.getresponse(), folder)
    click.echo(time.process_time() - started)
    connection.close()


def _store(response: http.client.HTTPResponse, folder: Path) -> None:
    digest = hashlib.sha256()
    temp = folder / "temp"
    with temp.open("wb") as file:
        while chunk := response.read(_CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
        if file.tell() != SEGMENT_BYTES:
            raise EOFError(f"a segment has {file.tell()} bytes instead of {SEGMENT_BYTES}")
    temp.rename(folder / digest.hexdigest())
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    command()
