"""`python -m backfiller`"""

from common import signals

signals.install()

from gevent import monkey

monkey.patch_all()

from psycogreen.gevent import patch_psycopg

patch_psycopg()

from backfiller.cli import command
from common.cli import main

main(command)
