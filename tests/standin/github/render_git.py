"""Bodies of answers: commits, comparisons, contents, refs, branches, workflow runs, releases."""

import base64
import hashlib
from collections.abc import Iterable
from typing import Any

from tests.standin.github.render import (
    Body,
    Links,
    minimal_repository_body,
    moment,
    user_body,
)
from tests.standin.github.render_checks import pull_reference_body
from tests.standin.github.state import ChangedFile, Commit, Repository, WorkflowRun, digest


def signature(commit: Commit) -> Body:
    return {"name": "Author", "email": "author@users.noreply.github.com", "date": moment(commit.at)}


def file_body(links: Links, repository: Repository, file: ChangedFile, sha: str) -> Body:
    page = links.page(repository)
    body: Body = {
        "sha": digest(sha, file.filename),
        "filename": file.filename,
        "status": file.status,
        "additions": file.additions,
        "deletions": file.deletions,
        "changes": file.additions + file.deletions,
        "blob_url": f"{page}/blob/{sha}/{file.filename}",
        "raw_url": f"{page}/raw/{sha}/{file.filename}",
        "contents_url": f"{links.repository(repository)}/contents/{file.filename}?ref={sha}",
    }
    if file.patch is not None:  # A binary file and a very large one have none.
        body["patch"] = file.patch
    if file.previous_filename is not None:
        body["previous_filename"] = file.previous_filename
    return body


def commit_body(links: Links, repository: Repository, commit: Commit, *, files: bool = False) -> Body:
    url, page = f"{links.repository(repository)}/commits/{commit.sha}", f"{links.page(repository)}/commit/"
    git = f"{links.repository(repository)}/git"
    body: Body = {
        "url": url,
        "sha": commit.sha,
        "node_id": f"C_{commit.sha}",
        "html_url": f"{page}{commit.sha}",
        "comments_url": f"{url}/comments",
        "commit": {
            "url": f"{git}/commits/{commit.sha}",
            "author": signature(commit),
            "committer": signature(commit),
            "message": commit.message,
            "comment_count": 0,
            "tree": {"sha": tree_sha(commit), "url": f"{git}/trees/{tree_sha(commit)}"},
            "verification": {
                "verified": False,
                "reason": "unsigned",
                "payload": None,
                "signature": None,
                "verified_at": None,
            },
        },
        "author": user_body(links, repository.owner),
        "committer": user_body(links, repository.owner),
        "parents": [
            {"sha": sha, "url": f"{links.repository(repository)}/commits/{sha}", "html_url": f"{page}{sha}"}
            for sha in commit.parents
        ],
    }
    if files:
        added, deleted = (sum(getattr(file, name) for file in commit.files) for name in ("additions", "deletions"))
        body["stats"] = {"additions": added, "deletions": deleted, "total": added + deleted}
        body["files"] = [file_body(links, repository, file, commit.sha) for file in commit.files]
    return body


def tree_sha(commit: Commit) -> str:
    return digest("tree", sorted(commit.tree.items()))


def comparison_body(
    links: Links, repository: Repository, base: Commit, head: Commit, shared: Commit, ahead: list[Commit], behind: int
) -> Body:
    url, page = f"{links.repository(repository)}/compare", f"{links.page(repository)}/compare"
    pair = f"{base.sha}...{head.sha}"
    changed = {file.filename: file for commit in ahead for file in commit.files}
    status = {(False, False): "identical", (True, False): "ahead", (False, True): "behind", (True, True): "diverged"}
    return {
        "url": f"{url}/{pair}",
        "html_url": f"{page}/{pair}",
        "permalink_url": f"{page}/{pair}",
        "diff_url": f"{page}/{pair}.diff",
        "patch_url": f"{page}/{pair}.patch",
        "base_commit": commit_body(links, repository, base),
        "merge_base_commit": commit_body(links, repository, shared),
        "status": status[bool(ahead), bool(behind)],
        "ahead_by": len(ahead),
        "behind_by": behind,
        "total_commits": len(ahead),
        "commits": [commit_body(links, repository, commit) for commit in ahead],
        "files": [file_body(links, repository, file, head.sha) for file in changed.values()],
    }


def content_body(
    links: Links, repository: Repository, path: str, content: bytes, ref: str, *, listed: bool = False
) -> Body:
    """A file; in a directory's list it has no content."""
    body = _entry(links, repository, path, "file", blob_sha(content), len(content), ref)
    if listed:
        return body
    # GitHub breaks the lines of base64; over one megabyte it sends none.
    encoded = base64.encodebytes(content).decode() if len(content) <= 1_000_000 else ""
    return {**body, "content": encoded, "encoding": "base64" if len(content) <= 1_000_000 else "none"}


def directory_body(links: Links, repository: Repository, path: str, commit: Commit, ref: str) -> list[Body] | None:
    """A directory's entries, or None where there is none."""
    prefix = f"{path}/" if path else ""
    entries: dict[str, Body] = {}
    for name, content in sorted(commit.tree.items()):
        if name.startswith(prefix):
            first, _, rest = name.removeprefix(prefix).partition("/")
            at = prefix + first
            entries.setdefault(
                at,
                _entry(links, repository, at, "dir", digest("dir", at), 0, ref)
                if rest
                else content_body(links, repository, at, content, ref, listed=True),
            )
    return list(entries.values()) or (None if path else [])


def blob_sha(content: bytes) -> str:
    """The SHA that git gives a blob."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _entry(links: Links, repository: Repository, path: str, kind: str, sha: str, size: int, ref: str) -> Body:
    url = f"{links.repository(repository)}/contents/{path}?ref={ref}"
    git = f"{links.repository(repository)}/git/{'blobs' if kind == 'file' else 'trees'}/{sha}"
    page = f"{links.page(repository)}/{'blob' if kind == 'file' else 'tree'}/{ref}/{path}"
    return {
        "type": kind,
        "size": size,
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "url": url,
        "git_url": git,
        "html_url": page,
        "download_url": f"{links.page(repository)}/raw/{ref}/{path}" if kind == "file" else None,
        "_links": {"self": url, "git": git, "html": page},
    }


def file_commit_body(
    links: Links, repository: Repository, path: str, content: bytes, commit: Commit, branch: str
) -> Body:
    """What PUT contents answers."""
    written = commit_body(links, repository, commit)
    fields = ("sha", "node_id", "url", "html_url", "parents")
    inner = ("author", "committer", "message", "tree", "verification")
    return {
        "content": content_body(links, repository, path, content, branch, listed=True),
        "commit": {**{name: written[name] for name in fields}, **{name: written["commit"][name] for name in inner}},
    }


def ref_body(links: Links, repository: Repository, ref: str, sha: str) -> Body:
    git = f"{links.repository(repository)}/git"
    return {
        "ref": ref,
        "node_id": f"REF_{digest(ref)}",
        "url": f"{git}/{ref}",
        "object": {"sha": sha, "type": "commit", "url": f"{git}/commits/{sha}"},
    }


def branch_body(links: Links, repository: Repository, name: str, commit: Commit) -> Body:
    url = f"{links.repository(repository)}/branches/{name}"
    checks: Body = {"enforcement_level": "off", "contexts": [], "checks": []}
    return {
        "name": name,
        "commit": commit_body(links, repository, commit),
        "_links": {"self": url, "html": f"{links.page(repository)}/tree/{name}"},
        "protected": False,
        "protection": {"enabled": False, "required_status_checks": checks},
        "protection_url": f"{url}/protection",
    }


def run_body(links: Links, repository: Repository, run: WorkflowRun) -> Body:
    url = f"{links.repository(repository)}/actions/runs/{run.id}"
    home = run.head_repository
    commit = home.commits.get(run.head_sha) or Commit(run.head_sha)
    pulls = [repository.pulls[number] for number in run.pulls]
    workflow = f"{links.repository(repository)}/actions/workflows/1"
    who = {"name": "Author", "email": "author@users.noreply.github.com"}
    return {
        "id": run.id,
        "name": run.name,
        "node_id": f"WFR_{run.id}",
        "check_suite_id": run.id,
        "check_suite_node_id": f"CS_{run.id}",
        "head_branch": run.head_branch,
        "head_sha": run.head_sha,
        "path": ".github/workflows/evaluate.yml",
        "run_number": 1,
        "run_attempt": run.attempt,
        "referenced_workflows": [],
        "event": run.event,
        "status": "completed" if run.conclusion else "in_progress",
        "conclusion": run.conclusion,
        "workflow_id": 1,
        "workflow_url": workflow,
        "url": url,
        "html_url": f"{links.page(repository)}/actions/runs/{run.id}",
        "pull_requests": [pull_reference_body(links, repository, pull) for pull in pulls],
        "created_at": moment(run.at),
        "updated_at": moment(run.at),
        "run_started_at": moment(run.at),
        "actor": user_body(links, run.actor),
        "triggering_actor": user_body(links, run.actor),
        **{f"{name}_url": f"{url}/{name}" for name in ("jobs", "logs", "artifacts", "cancel", "rerun")},
        "check_suite_url": f"{links.repository(repository)}/check-suites/{run.id}",
        "previous_attempt_url": None,
        "head_commit": {
            "id": commit.sha, "tree_id": tree_sha(commit), "message": commit.message, "timestamp": moment(commit.at),
            "author": who, "committer": who,
        },
        "repository": minimal_repository_body(links, repository),
        "head_repository": minimal_repository_body(links, home),
        "display_title": commit.message,
    }  # fmt: skip


def artifact_bodies(links: Links, repository: Repository, run: WorkflowRun) -> Iterable[Body]:
    for number, name, size in run.artifacts:
        url = f"{links.repository(repository)}/actions/artifacts/{number}"
        yield {
            "id": number, "node_id": f"AR_{number}", "name": name, "size_in_bytes": size, "url": url,
            "archive_download_url": f"{url}/zip", "expired": False, "created_at": moment(run.at),
            "expires_at": moment(run.at + 90 * 86400), "updated_at": moment(run.at), "digest": None,
            "workflow_run": {
                "id": run.id, "repository_id": repository.id, "head_repository_id": run.head_repository.id,
                "head_branch": run.head_branch, "head_sha": run.head_sha,
            },
        }  # fmt: skip


def release_body(links: Links, repository: Repository, number: int, tag: str, at: float) -> Body:
    url, page = f"{links.repository(repository)}/releases/{number}", links.page(repository)
    return {
        "url": url,
        "html_url": f"{page}/releases/tag/{tag}",
        "assets_url": f"{url}/assets",
        "upload_url": f"{url}/assets{{?name,label}}",
        "tarball_url": f"{links.repository(repository)}/tarball/{tag}",
        "zipball_url": f"{links.repository(repository)}/zipball/{tag}",
        "id": number,
        "node_id": f"RE_{number}",
        "tag_name": tag,
        "target_commitish": repository.default_branch,
        "name": tag,
        "body": None,
        "draft": False,
        "prerelease": False,
        "created_at": moment(at),
        "published_at": moment(at),
        "author": user_body(links, repository.owner),
        "assets": [],
    }


def rate_limit_body(limit: int, remaining: int, reset: int) -> dict[str, Any]:
    core = {"limit": limit, "used": limit - remaining, "remaining": remaining, "reset": reset}
    search = {"limit": 30, "used": 0, "remaining": 30, "reset": reset}
    return {"resources": {"core": core, "search": search, "graphql": core}, "rate": core}
