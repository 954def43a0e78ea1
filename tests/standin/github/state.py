"""What a repository holds: commits, pull requests, comments, checks. No HTTP and no JSON here."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.standin.github.access import App, User

if TYPE_CHECKING:
    from tests.standin.github.world import World


@dataclass(frozen=True)
class ChangedFile:
    """A file that a pull request or a commit changes."""

    filename: str
    status: str = "modified"
    additions: int = 1
    deletions: int = 1
    patch: str | None = "@@ -1 +1 @@\n-old\n+new"
    previous_filename: str | None = None


@dataclass
class Commit:
    """A commit with its whole tree."""

    sha: str
    parents: tuple[str, ...] = ()
    message: str = "A change"
    tree: Mapping[str, bytes] = field(default_factory=dict)
    files: tuple[ChangedFile, ...] = ()
    at: float = 0.0


@dataclass
class Comment:
    """A comment of an issue or a pull request."""

    id: int
    number: int
    user: User
    body: str
    app: App | None
    created_at: float
    updated_at: float
    minimized: str | None = None
    """The reason ("outdated", "spam" ...) where it is minimised."""


@dataclass
class Pull:
    """A pull request; an issue where `is_pull` is false."""

    number: int
    id: int
    user: User
    title: str
    body: str | None
    head_sha: str
    head_ref: str
    head_repository: "Repository | None"
    """None when the fork was deleted."""
    base_sha: str
    base_ref: str
    created_at: float
    updated_at: float
    merge_commit_sha: str | None = None
    mergeable: bool | None = True
    merged: bool = False
    draft: bool = False
    labels: list[str] = field(default_factory=list)
    state: str = "open"
    locked: bool = False
    files: list[ChangedFile] = field(default_factory=list)
    is_pull: bool = True


@dataclass
class CheckRun:
    """A check run; `fields` holds what was sent (name, head_sha, status, conclusion, output ...)."""

    id: int
    app: App
    fields: dict[str, Any]
    annotations: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Status:
    """A commit status."""

    id: int
    sha: str
    creator: User
    state: str
    context: str
    description: str | None
    target_url: str | None
    at: float


@dataclass
class WorkflowRun:
    """A run of a workflow, with its artifacts."""

    id: int
    head_sha: str
    head_branch: str
    head_repository: "Repository"
    event: str
    name: str
    conclusion: str | None
    actor: User
    pulls: tuple[int, ...]
    """Empty for a fork's pull request, as GitHub leaves it."""
    at: float
    attempt: int = 1
    artifacts: list[tuple[int, str, int]] = field(default_factory=list)
    """Id, name, size in bytes."""


@dataclass
class Repository:
    """A repository and all that belongs to it."""

    world: "World"
    id: int
    owner: User
    name: str
    default_branch: str = "main"
    private: bool = False
    parent: "Repository | None" = None
    created_at: float = 0.0
    collaborators: dict[str, str] = field(default_factory=dict)
    """Login to role: read, triage, write, maintain, admin."""
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    pulls: dict[int, Pull] = field(default_factory=dict)
    comments: dict[int, Comment] = field(default_factory=dict)
    check_runs: dict[int, CheckRun] = field(default_factory=dict)
    statuses: list[Status] = field(default_factory=list)
    runs: dict[int, WorkflowRun] = field(default_factory=dict)
    releases: list[tuple[int, str, str]] = field(default_factory=list)
    """Id, tag, sha; the last is the latest."""

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    def add_commit(
        self,
        sha: str = "",
        *,
        parents: Iterable[str] = (),
        message: str = "A change",
        files: Mapping[str, bytes | None] | None = None,
        branch: str | None = None,
        changed: Iterable[ChangedFile] = (),
    ) -> Commit:
        """Add a commit over its first parent's tree (a file that is None is removed) and move a branch to it."""
        parents = tuple(parents)
        tree = dict(self.commits[parents[0]].tree) if parents and parents[0] in self.commits else {}
        for path, content in (files or {}).items():
            tree.pop(path, None)
            if content is not None:
                tree[path] = content
        sha = sha or digest(self.full_name, parents, message, sorted(tree.items()), self.world.number())
        shown = tuple(changed) or tuple(ChangedFile(path) for path in files or {})
        self.commits[sha] = Commit(sha, parents, message, tree, shown, self.world.now())
        if branch is not None:
            self.branches[branch] = sha
        return self.commits[sha]

    def add_pull(
        self,
        number: int,
        *,
        head_sha: str = "",
        base_sha: str = "",
        head_ref: str = "topic",
        base_ref: str = "",
        head_repository: "Repository | None" = None,
        deleted_fork: bool = False,
        user: User | str | None = None,
        merge_commit_sha: str | None = None,
        files: Iterable[ChangedFile | str] = (),
        **fields: Any,
    ) -> Pull:
        """Open a pull request; commits that are not there yet are made, the merge commit among them."""
        base_ref = base_ref or self.default_branch
        if not base_sha:
            base_sha = self.branches.get(base_ref) or self.add_commit(branch=base_ref).sha
        if base_sha not in self.commits:
            self.add_commit(base_sha)
        self.branches.setdefault(base_ref, base_sha)
        head_sha = head_sha or digest(self.full_name, number, "head")
        home = head_repository or self
        if head_sha not in self.commits:
            self.add_commit(head_sha, parents=[base_sha])
        home.commits.setdefault(head_sha, self.commits[head_sha])
        home.branches[head_ref] = head_sha
        now = self.world.now()
        pull = Pull(
            number=number,
            id=self.world.number(),
            user=self.world.user(user or home.owner),
            title=fields.pop("title", f"Change {number}"),
            body=fields.pop("body", None),
            head_sha=head_sha,
            head_ref=head_ref,
            head_repository=None if deleted_fork else home,
            base_sha=base_sha,
            base_ref=base_ref,
            created_at=now,
            updated_at=now,
            files=[ChangedFile(item) if isinstance(item, str) else item for item in files],
            **fields,
        )
        self.pulls[number] = pull
        self._merge(pull, merge_commit_sha)
        return pull

    def add_issue(self, number: int, *, user: User | str | None = None) -> Pull:
        """Open an issue that is no pull request."""
        now = self.world.now()
        who = self.world.user(user or self.owner)
        title = f"Issue {number}"
        self.pulls[number] = Pull(
            number, self.world.number(), who, title, None, "", "", None, "", "", now, now, is_pull=False
        )
        return self.pulls[number]

    def push(self, number: int, sha: str = "", *, merge_commit_sha: str | None = None, force: bool = False) -> Pull:
        """Move a pull request's head, as a push by its author does."""
        with self.world.lock:
            pull = self.pulls[number]
            parents = [pull.base_sha if force else pull.head_sha]
            sha = sha if sha in self.commits else self.add_commit(sha, parents=parents).sha
            pull.head_sha, pull.updated_at = sha, self.world.now()
            if pull.head_repository is not None:
                pull.head_repository.commits.setdefault(sha, self.commits[sha])
                pull.head_repository.branches[pull.head_ref] = sha
            self._merge(pull, merge_commit_sha)
            return pull

    def add_comment(self, number: int, body: str, *, user: User | str, app: App | None = None) -> Comment:
        """Write a comment, without HTTP."""
        with self.world.lock:
            who = self.world.user(user)
            if app is None and who.type == "Bot":
                app = self.world.apps.get(who.login.removesuffix("[bot]"))
            now = self.world.now()
            comment = Comment(self.world.number(), number, who, body, app, now, now)
            self.comments[comment.id] = comment
            return comment

    def comments_on(self, number: int) -> list[Comment]:
        """A pull request's comments, oldest first."""
        with self.world.lock:
            return sorted((item for item in self.comments.values() if item.number == number), key=lambda item: item.id)

    def add_run(
        self,
        *,
        head_sha: str,
        event: str = "pull_request",
        pulls: Iterable[int] = (),
        artifacts: Mapping[str, int] | None = None,
        **fields: Any,
    ) -> WorkflowRun:
        """Add a workflow run; `artifacts` maps names to sizes."""
        given = {
            "head_branch": "topic", "head_repository": self, "name": "Evaluate",
            "conclusion": "success", "actor": self.owner, "at": self.world.now(), **fields,
        }  # fmt: skip
        run = WorkflowRun(id=self.world.number(), head_sha=head_sha, event=event, pulls=tuple(pulls), **given)
        run.artifacts = [(self.world.number(), name, size) for name, size in (artifacts or {}).items()]
        self.runs[run.id] = run
        return run

    def add_release(self, tag: str, sha: str) -> None:
        """Publish a release."""
        self.tags[tag] = sha
        self.releases.append((self.world.number(), tag, sha))

    def resolve(self, ref: str) -> Commit | None:
        """The commit that a SHA, a branch, a tag or a full ref names."""
        sha = dict(self.refs()).get(ref if ref.startswith("refs/") else f"refs/{ref}")
        found = self.commits.get(sha or self.branches.get(ref) or self.tags.get(ref) or ref)
        if found is None and 7 <= len(ref) < 40:
            short = [commit for sha, commit in self.commits.items() if sha.startswith(ref)]
            found = short[0] if len(short) == 1 else None
        return found

    def refs(self) -> list[tuple[str, str]]:
        """Every ref with its SHA, sorted."""
        found = [(f"refs/heads/{name}", sha) for name, sha in self.branches.items()]
        found += [(f"refs/tags/{name}", sha) for name, sha in self.tags.items()]
        for pull in self.pulls.values():
            if pull.is_pull:
                found.append((f"refs/pull/{pull.number}/head", pull.head_sha))
                if pull.merge_commit_sha and pull.state == "open":
                    found.append((f"refs/pull/{pull.number}/merge", pull.merge_commit_sha))
        return sorted(found)

    def _merge(self, pull: Pull, sha: str | None) -> None:
        sha = sha or digest("merge", pull.base_sha, pull.head_sha)
        pull.merge_commit_sha = sha if pull.mergeable is not False else None
        if sha not in self.commits:
            self.add_commit(
                sha, parents=[pull.base_sha, pull.head_sha], message=f"Merge {pull.head_sha} into {pull.base_sha}"
            )


def digest(*parts: object) -> str:
    """A SHA made of anything."""
    return hashlib.sha1(repr(parts).encode()).hexdigest()
