"""The state as JSON: what a stand-in in a process of its own starts from, and what it tells of itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.standin.github.state import ChangedFile, Repository

if TYPE_CHECKING:
    from tests.standin.github.standin import GitHub


def load(github: "GitHub", document: Mapping[str, Any]) -> None:
    """Fill a stand-in.

    Args:
        github: Empty stand-in.
        document: `repositories` (full name to `default_branch`, `private`, `parent`, `collaborators`, and lists of
            `commits`, `pulls`, `comments`, `runs`, `releases` with the arguments of `Repository.add_...`) and
            `tokens` (secret to `permissions`, or to `login` and `scopes`).
    """
    for full_name, fields in document.get("repositories", {}).items():
        lists = {name: fields.pop(name, ()) for name in ("commits", "pulls", "comments", "runs", "releases")}
        if "parent" in fields:
            fields["parent"] = _named(github, fields["parent"])
        repository = github.add_repository(full_name, **fields)
        for commit in lists["commits"]:
            files = {path: None if text is None else text.encode() for path, text in commit.pop("files", {}).items()}
            repository.add_commit(files=files, **commit)
        for releases in lists["releases"]:
            repository.add_release(**releases)
        _add_later(github, repository, lists)
    for secret, fields in document.get("tokens", {}).items():
        if "login" in fields:
            github.user_token(fields["login"], scopes=tuple(fields.get("scopes", ("repo",))), secret=secret)
        else:
            github.installation_token(fields.get("permissions", {}), secret=secret)


def _add_later(github: "GitHub", repository: Repository, lists: Mapping[str, Any]) -> None:
    for pull in lists["pulls"]:
        if "head_repository" in pull:
            name = pull["head_repository"]
            known = name.lower() in github.world.repositories
            pull["head_repository"] = _named(github, name) if known else github.add_repository(name, parent=repository)
        pull["files"] = [ChangedFile(**item) if isinstance(item, dict) else item for item in pull.get("files", ())]
        repository.add_pull(**pull)
    for comment in lists["comments"]:
        repository.add_comment(**comment)
    for run in lists["runs"]:
        if "head_repository" in run:
            run["head_repository"] = _named(github, run["head_repository"])
        repository.add_run(**run)


def _named(github: "GitHub", full_name: str) -> Repository:
    return github.world.repositories[full_name.lower()]


def snapshot(github: "GitHub") -> dict[str, Any]:
    """What was asked and what came of it."""
    with github.world.lock:
        return {
            "violations": list(github.violations),
            "requests": [
                {
                    "method": item.method,
                    "path": item.path,
                    "query": item.query,
                    "status": item.status,
                    "fault": item.fault,
                }
                for item in github.requests
            ],
            "repositories": {
                repository.full_name: {
                    "comments": [
                        {"id": item.id, "number": item.number, "user": item.user.login, "body": item.body}
                        for item in repository.comments.values()
                    ],
                    "check_runs": [
                        {"id": item.id, "app": item.app.slug, **item.fields, "annotations": item.annotations}
                        for item in repository.check_runs.values()
                    ],
                    "statuses": [
                        {"sha": item.sha, "context": item.context, "state": item.state, "description": item.description}
                        for item in repository.statuses
                    ],
                    "branches": dict(repository.branches),
                }
                for repository in github.world.repositories.values()
            },
        }
