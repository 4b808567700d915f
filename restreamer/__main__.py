from common import signals

signals.install()

from gevent import monkey

monkey.patch_all()

from restreamer.cli import command

from common.cli import main

main(command)
