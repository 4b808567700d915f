"""`python -m thrimshim.tokens`: make, list and revoke API tokens."""

import secrets

import click

from common import cli
from common.db.database import Database, migrate
from common.errors import DatabaseUnavailable
from common.web import new_registry
from thrimshim import queries


def _database(dsn: str) -> Database:
    try:
        migrate(dsn)
    except DatabaseUnavailable as exc:
        raise click.ClickException(f"the database does not answer: {exc}") from exc
    return Database(dsn, application="tokens", registry=new_registry(), pool_size=1)


@click.group("thrimshim.tokens")
@click.option(
    "--database",
    required=True,
    envvar=["WUBLOADER_THRIMSHIM_DATABASE", "WUBLOADER_DATABASE"],
    show_envvar=True,
    metavar="DSN",
    help="Postgres, as a libpq URI or a key=value string.",
)
@click.pass_context
def command(context: click.Context, database: str) -> None:
    """API tokens, with which programs and editors write through thrimshim's API."""
    context.obj = database


@command.command()
@click.argument("name")
@click.pass_obj
def create(dsn: str, name: str) -> None:
    """Make a token for NAME and print it. It is shown this once: only its hash is kept."""
    token = f"wub_{secrets.token_urlsafe(32)}"
    with _database(dsn).transaction() as cursor:
        if not queries.create_token(cursor, name, token):
            raise click.ClickException(f"there is a token for {name!r} already; revoke it first")
    click.echo(token)


@command.command("list")
@click.pass_obj
def list_names(dsn: str) -> None:
    """Show for whom tokens exist, and when each was last used."""
    with _database(dsn).transaction() as cursor:
        for row in queries.list_tokens(cursor):
            used = row["last_used"].isoformat(timespec="seconds") if row["last_used"] else "never"
            click.echo(f"{row['name']}\tused {used}")


@command.command()
@click.argument("name")
@click.pass_obj
def revoke(dsn: str, name: str) -> None:
    """Make NAME's token worthless at once."""
    with _database(dsn).transaction() as cursor:
        if not queries.revoke_token(cursor, name):
            raise click.ClickException(f"there is no token for {name!r}")


if __name__ == "__main__":
    cli.main(command)
