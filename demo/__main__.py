"""`python -m demo`: the quick start."""

from common.cli import main
from demo.runner import command

main(command)
