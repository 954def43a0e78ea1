"""Real git repositories for the tests."""

import hashlib
import os
import stat
import subprocess
from pathlib import Path

ENVIRON = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "김철수",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "a@example.com",
    "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z",
}


class Repository:
    """A git repository with a few shorthands."""

    def __init__(self, path: Path, *options: str) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main", *options)

    def git(self, *arguments: str, **extra: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env={**ENVIRON, **extra}, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def write(self, name: str, text: str | bytes, *, executable: bool = False) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        if executable:
            path.chmod(0o755)
        return path

    def commit(self, message: str, **files: str | bytes) -> str:
        """Write files (`a_txt` is a.txt), commit everything and give the SHA."""
        for name, text in files.items():
            self.write(name.replace("_", "."), text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def branch(self, name: str) -> None:
        self.git("checkout", "--quiet", "-b", name)


def fingerprint(root: Path) -> dict[str, tuple[int, int, str]]:
    """Mode, time of change and content of every file, link and folder below a root, `.git` included."""
    found = {}
    for path in sorted([root, *root.rglob("*")]):
        state = path.lstat()
        if stat.S_ISLNK(state.st_mode):
            content = str(path.readlink())
        elif stat.S_ISREG(state.st_mode):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            content = ""
        found[str(path)] = (state.st_mode, state.st_mtime_ns, content)
    return found
