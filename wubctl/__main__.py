"""`python -m wubctl`"""

from common import signals

signals.install()

from gevent import monkey

monkey.patch_all()

from psycogreen.gevent import patch_psycopg

patch_psycopg()

from common.cli import main
from wubctl.cli import command

main(command)
