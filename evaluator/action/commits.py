"""Which commits are compared: found by SHA, fetched without their history into a repository of our own.

The pair that isolates what a pull request does is the merge that GitHub makes of it and that merge's first parent.
Where there is none (conflicts), it is the head and the commit where head left base. Never the tip of base against head:
that blames a pull request for what others did.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluator.action.work import Work
from evaluator.errors import SourceError
from evaluator.github.activity import EvaluateGroup, EvaluatePull, EvaluateRefs
from evaluator.github.fields import is_sha
from evaluator.source.fetch import fetch_commits, fetch_ref, parents
from evaluator.source.refs import Pair
from evaluator.source.refusals import CommitGone, RefGone


@dataclass(frozen=True, slots=True)
class Commits:
    """The commits of a run, all of them in `repo`."""

    repo: Path
    head: str
    """What is run: the merge, or the head itself."""
    base: str | None
    """What it is compared with; None where it could not be had and the workflow allows that."""
    rules: str
    """Whose config and golden set rule: the tip of base, or what `config-ref` names."""
    base_name: str
    head_name: str
    shown_head: str
    """The pull request's own head, which people know."""
    notes: tuple[str, ...] = ()

    @property
    def pair(self) -> Pair | None:
        """For `worktrees`."""
        return None if self.base is None else Pair(self.base, self.head, self.rules)


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches from the job's repository."""

    work: Work

    @property
    def repo(self) -> Path:
        """Where commits are kept."""
        return self.work.scratch / "repository.git"

    def commits(self, *shas: str, refs: Mapping[str, str] | None = None) -> None:
        """Fetch commits by SHA; `refs` says under which name a server has them that gives none by SHA."""
        fetch_commits(self.work.remote, shas, self.repo, self.work.environ, refs=refs)

    def ref(self, ref: str) -> str:
        """Fetch what a ref names now; gives its SHA."""
        return fetch_ref(self.work.remote, ref, self.repo, self.work.environ)

    def parents(self, sha: str) -> tuple[str, ...]:
        """The parents of a commit that was fetched."""
        return parents(self.repo, sha, self.work.environ)

    def named(self, name: str) -> str:
        """Fetch what a person named: a commit's SHA, a branch or a tag; gives its SHA.

        Raises:
            SourceError: There is no such thing.
        """
        if is_sha(name):
            self.commits(name)
            return name
        found = {ref: sha for ref in _full(name) if (sha := self._ref_if_there(ref)) is not None}
        if len(set(found.values())) > 1:
            # Whoever may push a branch must not be able to shadow a tag that somebody relies on.
            raise SourceError(
                f"{ascii(name)[:120]} is a branch and a tag, of different commits",
                hint=f"write which is meant: {' or '.join(found)}",
            )
        if not found:
            raise SourceError(
                f"{self.work.settings.repository} has no branch and no tag named {ascii(name)[:120]}",
                hint="name a branch, a tag or a whole commit hash",
            )
        return next(iter(found.values()))

    def tip(self, branch: str) -> str:
        """Fetch what is on a branch now: whose rules count, whatever commit a job was started for."""
        return self.ref(f"refs/heads/{branch.removeprefix('refs/heads/')}")

    def _ref_if_there(self, ref: str) -> str | None:
        try:
            return self.ref(ref)
        except RefGone:
            return None


def _full(name: str) -> tuple[str, ...]:
    """The full names that a name can stand for; a full one stands for itself alone."""
    if name.startswith(("refs/heads/", "refs/tags/")):
        return (name,)
    return (f"refs/heads/{name}", f"refs/tags/{name}")


def of_pull(fetcher: Fetcher, pull: EvaluatePull) -> Commits:
    """The commits of a pull request.

    Raises:
        SourceError: One of them cannot be had: there is never a wrong or an empty baseline.
    """
    found = _merged(fetcher, pull) if pull.compare_mode == "merge" else None
    notes: tuple[str, ...] = ()
    if found is None and pull.compare_mode == "merge":
        notes = (
            "GitHub has no merge of this pull request into its base (there may be conflicts), so its head is compared"
            " with the commit where it left base",
        )
    return _ruled(fetcher, found or _left(fetcher, pull, notes))


def of_group(fetcher: Fetcher, group: EvaluateGroup) -> Commits:
    """The commits of a merge group: what would be merged, and what it would be merged into."""
    fetcher.commits(group.base_sha, group.head_sha)
    # Base of a group may be the group before it in the queue, whose rules nobody has merged yet.
    tip = fetcher.tip(group.base_ref)
    commits = Commits(fetcher.repo, group.head_sha, group.base_sha, tip, group.base_ref, "merge group", group.head_sha)
    return _ruled(fetcher, commits)


def of_refs(fetcher: Fetcher, refs: EvaluateRefs, head: str) -> Commits:
    """The commits of two refs that somebody named; `head` is the commit that the second was found to be."""
    base = tip = fetcher.named(refs.base_ref)
    if refs.compare_mode == "merge-base":
        base = fetcher.work.client.compare(tip, head)
        fetcher.commits(base)
    return _ruled(fetcher, Commits(fetcher.repo, head, base, tip, refs.base_ref, refs.head_ref, head))


def _merged(fetcher: Fetcher, pull: EvaluatePull) -> Commits | None:
    """The merge that GitHub made of the pull request's head as it was asked for; None if there is none."""
    for find in (_merge_of_the_event, _merge_of_now):
        merge = find(fetcher, pull)
        if merge is None:
            continue
        of_it = fetcher.parents(merge)
        if len(of_it) == 2 and of_it[1] == pull.head_sha:  # else the merge of an earlier or a later head
            base = of_it[0]
            lost = _base_or_note(fetcher, base, pull)
            if lost is not None:
                return _without_base(fetcher, pull, merge, lost)
            # Not the merge's own base: a job that is run again has an old one, and its rules may be looser.
            return Commits(
                fetcher.repo, merge, base, fetcher.tip(pull.base_ref), pull.base_ref, _name(pull), pull.head_sha
            )
    return None


def _merge_of_the_event(fetcher: Fetcher, pull: EvaluatePull) -> str | None:
    if pull.merge_sha is None or pull.merge_sha == pull.head_sha:
        return None
    try:
        fetcher.commits(pull.merge_sha, refs={pull.merge_sha: pull.merge_ref})
    except CommitGone:  # a push since has replaced it
        return None
    return pull.merge_sha


def _merge_of_now(fetcher: Fetcher, pull: EvaluatePull) -> str | None:
    try:
        return fetcher.ref(pull.merge_ref)
    except RefGone:
        return None


def _left(fetcher: Fetcher, pull: EvaluatePull, notes: tuple[str, ...]) -> Commits:
    """Head against the commit where it left base, ruled by the tip of base."""
    tip = fetcher.tip(pull.base_ref)
    fetcher.commits(pull.head_sha, refs={pull.head_sha: f"refs/pull/{pull.number}/head"})
    base = fetcher.work.client.compare(tip, pull.head_sha)
    lost = _base_or_note(fetcher, base, pull)
    if lost is not None:
        return _without_base(fetcher, pull, pull.head_sha, lost)
    return Commits(fetcher.repo, pull.head_sha, base, tip, pull.base_ref, _name(pull), pull.head_sha, notes)


def _base_or_note(fetcher: Fetcher, base: str, pull: EvaluatePull) -> str | None:
    """Fetch base; gives why it cannot be had, where the workflow says to go on without it.

    Raises:
        SourceError: It cannot be had, and the workflow says nothing of the kind.
    """
    try:
        fetcher.commits(base, refs={base: f"refs/heads/{pull.base_ref}"})
    except SourceError as error:
        if fetcher.work.settings.inputs.on_missing_baseline == "warn":
            return error.message
        raise SourceError(
            f"the baseline cannot be had: {error.message}",
            hint=error.hint or "with `on-missing-baseline: warn` head is held against the absolute bounds alone",
        ) from None
    return None


def _without_base(fetcher: Fetcher, pull: EvaluatePull, head: str, why: str) -> Commits:
    tip = fetcher.tip(pull.base_ref)
    note = f"THE BASELINE IS MISSING ({why}): only absolute bounds were checked, as `on-missing-baseline: warn` allows"
    return Commits(fetcher.repo, head, None, tip, pull.base_ref, _name(pull), pull.head_sha, (note,))


def _ruled(fetcher: Fetcher, commits: Commits) -> Commits:
    """Rules from `config-ref` where the workflow names one."""
    name = fetcher.work.settings.inputs.config_ref
    if name is None:
        return commits
    return Commits(
        commits.repo, commits.head, commits.base, fetcher.named(name), commits.base_name, commits.head_name,
        commits.shown_head, (*commits.notes, f"config and golden set are those of {name} (`config-ref`)"),
    )  # fmt: skip


def _name(pull: EvaluatePull) -> str:
    return f"pull request {pull.number}"
