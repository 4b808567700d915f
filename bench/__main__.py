"""`python -m bench`: run the benchmarks and print one table. See docs/PERFORMANCE.md."""

import signal
import sys
from collections.abc import Mapping

import click

from bench import coverage, crowd, cuts, downloader, leaving, replication, restreamer, smartcut
from bench.figures import Source, markdown_table, text_table
from bench.machine import describe
from bench.suite import Benchmark, run_all

BENCHMARKS: Mapping[str, Benchmark] = {
    "delay": downloader.delay,
    "streams": downloader.streams,
    "past": downloader.past,
    "playlists": restreamer.playlists,
    "listing": restreamer.listing,
    "files": restreamer.files,
    "passes": replication.passes,
    "peers": replication.peers,
    "fill": replication.fill,
    "coverage": coverage.coverage,
    "smart": cuts.smart,
    "rough": cuts.rough,
    "ranges": cuts.ranges,
    "encoded": cuts.encoded,
    "crowd": crowd.crowd,
    "leaving": leaving.leaving,
    "smartcut": smartcut.against_package,
}


@click.command()
@click.option("--full", is_flag=True, help="The long form; the short one only shows that it runs.")
@click.option(
    "--only", "names", multiple=True, type=click.Choice(list(BENCHMARKS)), help="Run only these."
)
@click.option("--list", "list_only", is_flag=True, help="List the benchmarks.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
def command(*, full: bool, names: tuple[str, ...], list_only: bool, markdown: bool) -> None:
    """Measure the services, and print what was found as one table.

    The exit status is 1 if a benchmark failed or its work was not done right; no time makes it so.
    """
    if list_only:
        for name, benchmark in BENCHMARKS.items():
            click.echo(f"{name:10} {(benchmark.__doc__ or '').splitlines()[0]}")
        return
    chosen = {name: run for name, run in BENCHMARKS.items() if not names or name in names}
    # As Ctrl-C does: what was started is ended and what was written is deleted.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    heading = list(describe())
    results = run_all(chosen, full=full, announce=lambda line: click.echo(line, err=True))
    table = markdown_table if markdown else text_table
    click.echo("\n".join([*heading, "", table(results.figures), "", *_legend()]))
    for failure in results.failures:
        click.echo(failure, err=True)
    sys.exit(1 if results.failures else 0)


def _legend() -> list[str]:
    return [f"{source.label}: {source.meaning}" for source in Source]


if __name__ == "__main__":
    command()
