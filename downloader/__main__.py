"""`python -m downloader`"""

from common import signals

signals.install()

from gevent import monkey

monkey.patch_all()

from common.cli import main
from downloader.cli import command

main(command)
