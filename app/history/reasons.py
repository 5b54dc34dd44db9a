"""Why there is no connection, in the words of psycopg and libpq."""

import psycopg

PREFIX = "connection failed: "


def reason_of(error: Exception) -> str:
    """One line with a host, a database or a role in it, but no password; empty where nothing is known."""
    said = str(error).strip() if isinstance(error, psycopg.OperationalError) else ""
    return said.partition("\n")[0].removeprefix(PREFIX)
