"""Finding the address of a database's host, or of several, without stopping everything else.

libpq looks names up by itself, and nothing else of the process runs until it has an answer: while
name servers are away that is half a minute each time. So we look up, and tell it the addresses.
"""

import socket
from collections.abc import Iterator

import gevent
from psycopg2.extensions import make_dsn, parse_dsn

from common.errors import DatabaseUnavailable

LOOKUP_SECONDS = 5
_DEFAULT_PORT = "5432"


def each_host(dsn: str) -> Iterator[str]:
    """The same for each single host that `dsn` names. libpq can try several by itself, but where it
    must not block it would wait for the first without end.
    """
    parts = parse_dsn(dsn)
    hosts = parts.get("host", "").split(",")
    if len(hosts) == 1 or "hostaddr" in parts:
        yield dsn
        return
    ports = parts.get("port", _DEFAULT_PORT).split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    for host, port in zip(hosts, ports, strict=False):
        yield str(make_dsn(**parts | {"host": host, "port": port}))


def with_addresses(dsn: str) -> str:
    """The same database, with the addresses of its host. Raises DatabaseUnavailable."""
    parts = parse_dsn(dsn)
    host = parts.get("host", "")
    if not host or host.startswith("/") or "," in host or "hostaddr" in parts:
        return dsn
    port = parts.get("port", _DEFAULT_PORT)
    addresses = _look_up(host, port)
    hosts, ports = [host] * len(addresses), [port] * len(addresses)
    parts |= {"host": ",".join(hosts), "port": ",".join(ports), "hostaddr": ",".join(addresses)}
    return str(make_dsn(**parts))


def _look_up(host: str, port: str) -> list[str]:
    late = DatabaseUnavailable(f"looking up {host} took longer than {LOOKUP_SECONDS} s")
    try:
        with gevent.Timeout(LOOKUP_SECONDS, late):
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise DatabaseUnavailable(f"{host} is not known: {exc.strerror}") from exc
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
