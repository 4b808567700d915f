"""`python -m segment_coverage`"""

from common import signals

signals.install()

from gevent import monkey

monkey.patch_all()

from psycogreen.gevent import patch_psycopg

patch_psycopg()

from common.cli import main
from segment_coverage.cli import command

main(command)
