"""The errors that our own code raises on purpose.

    WubloaderError
    ├── ConfigError            a setting or the machine is wrong; one line, exit status 2
    ├── BadParameter           a request is wrong; HTTP 400, names the parameter
    ├── BadSegmentName         a file name is not of the segment format
    ├── HashMismatch           bytes are not those that a segment's name promises
    ├── HolesNotAllowed        a cut or a copy would miss something; HTTP 406
    ├── FetchError             an HTTP request of ours failed
    │   ├── ConnectFailed        no connection, or it broke before the response's headers
    │   │   └── Unreachable      no connection
    │   ├── TimedOut             no answer within the time allowed
    │   ├── BadStatus            an answer that is not 2xx
    │   ├── BrokenTransfer       the body ended early or does not fit its headers
    │   └── BadAnswer            a whole answer that makes no sense
    ├── MediaError             a file cannot be decoded, encoded or parsed
    ├── DatabaseUnavailable    Postgres cannot be reached, or the connection broke
    └── LeaseLost              the row is no longer ours to change

A library's error becomes one of these once, at the module that calls the library, with
`raise ... from exc`.
"""


class WubloaderError(Exception):
    """Base of all errors of this project."""


class ConfigError(WubloaderError):
    """A setting, or the machine, does not allow the service to run. The text says what to do."""


class BadParameter(WubloaderError):
    """A request's parameter is missing or wrong.

    `parameter` is its name as the client knows it, `reason` a sentence for the client.
    """

    def __init__(self, parameter: str, reason: str) -> None:
        super().__init__(f"{parameter}: {reason}")
        self.parameter = parameter
        self.reason = reason


class BadSegmentName(WubloaderError):
    """`name` is not of the form that `common.segments.path` describes."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name!r} is no segment's name: {reason}")
        self.name = name
        self.reason = reason


class HashMismatch(WubloaderError):
    """The bytes that came for the segment `name` have the hash `found`."""

    def __init__(self, name: str, found: str) -> None:
        super().__init__(f"the bytes for {name} have the hash {found}")
        self.name = name
        self.found = found


class HolesNotAllowed(WubloaderError):
    """Something in the range asked for is not recorded, and the caller wants it whole."""


class FetchError(WubloaderError):
    """An HTTP request of ours failed. `url` is what was asked for."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url}: {reason}")
        self.url = url
        self.reason = reason


class ConnectFailed(FetchError):
    """No connection, or it broke before the response's headers were in."""


class Unreachable(ConnectFailed):
    """No connection: nothing was asked, so nothing is known of what was to be asked for."""


class TimedOut(FetchError):
    """No answer, or not the whole of it, within the time allowed."""


class BadStatus(FetchError):
    """The server answered with a status that is not 2xx."""

    def __init__(self, url: str, status: int) -> None:
        super().__init__(url, f"the server answered {status}")
        self.status = status


class BrokenTransfer(FetchError):
    """The body ended early, or is not what its headers announced."""


class BadAnswer(FetchError):
    """The answer came whole, but is not of the form that was asked for, or beyond all measure."""


class MediaError(WubloaderError):
    """A piece of media cannot be decoded, encoded or parsed."""


class DatabaseUnavailable(WubloaderError):
    """Postgres cannot be reached, or the connection broke in the middle of a statement."""


class LeaseLost(WubloaderError):
    """The event is no longer leased to this worker: stop working on it and change nothing."""
