"""Several qualities that look for the same stream at the same time."""

import gevent
import pytest
from gevent.event import Event

from downloader.hls import Variant
from downloader.providers.base import StreamNotFound
from downloader.providers.channel import ChannelStream


class SlowProvider:
    """A seam's fake: answers when it is let, each time with the next address or the error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked = 0
        self.let = Event()
        self.seconds = 0.0
        self._error = error

    def find(self) -> list[Variant]:
        self.asked += 1
        number = self.asked
        self.let.wait()
        self.seconds += 5  # as long as a site may take
        if self._error is not None:
            raise self._error
        return [Variant(url=f"http://h/{number}", names=frozenset(), bandwidth=0)]

    def clock(self) -> float:
        return self.seconds


def test_those_that_wait_share_the_answer_however_long_it_took() -> None:
    provider = SlowProvider()
    stream = ChannelStream(provider, provider.clock)
    finding = [gevent.spawn(stream.find) for _ in range(3)]
    gevent.sleep(0)
    provider.let.set()
    gevent.joinall(finding, raise_error=True)
    assert [greenlet.value[0].url for greenlet in finding] == ["http://h/1"] * 3
    assert provider.asked == 1


def test_those_that_wait_share_a_failure_too() -> None:
    provider = SlowProvider(StreamNotFound("it is off the air", offline=True))
    stream = ChannelStream(provider, provider.clock)
    finding = [gevent.spawn(stream.find) for _ in range(3)]
    gevent.sleep(0)
    provider.let.set()
    gevent.joinall(finding)
    for greenlet in finding:
        assert isinstance(greenlet.exception, StreamNotFound)
        assert (str(greenlet.exception), greenlet.exception.offline) == ("it is off the air", True)
    assert provider.asked == 1


def test_later_a_fresh_answer_is_asked_for() -> None:
    provider = SlowProvider()
    provider.let.set()
    stream = ChannelStream(provider, provider.clock)
    assert stream.find()[0].url == "http://h/1"
    provider.seconds += 1.01
    assert stream.find()[0].url == "http://h/2"


def test_one_that_gives_up_waiting_holds_up_no_other() -> None:
    provider = SlowProvider()
    stream = ChannelStream(provider, provider.clock)
    first, second = gevent.spawn(stream.find), gevent.spawn(stream.find)
    gevent.sleep(0)
    first.kill()
    provider.let.set()
    assert second.get(timeout=5)[0].url == "http://h/2"


def test_an_error_of_another_kind_is_not_kept() -> None:
    provider = SlowProvider(ValueError("a bug"))
    provider.let.set()
    stream = ChannelStream(provider, provider.clock)
    for asked in (1, 2):
        with pytest.raises(ValueError, match="a bug"):
            stream.find()
        assert provider.asked == asked
