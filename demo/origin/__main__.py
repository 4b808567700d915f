from common import signals

signals.install()

from gevent import monkey

monkey.patch_all()

from demo.origin.cli import command

from common.cli import main

main(command)
