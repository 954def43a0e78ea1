"""What can be done about an event: the activities, each with its reason, and the checks that they still need.

Which event leads to which activity is decided in `activity.py`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

CompareMode: TypeAlias = Literal["merge", "merge-base"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the action's inputs, and the job, say about the commits that are meant."""

    repository: str
    """Of the job, `owner/name`."""
    sha: str
    """`GITHUB_SHA`: for `pull_request` the merge commit, else the commit that the workflow was read from."""
    ref: str = ""
    """`GITHUB_REF`."""
    base_ref: str | None = None
    head_ref: str | None = None
    pr_number: int | None = None
    head_sha: str | None = None
    compare_mode: CompareMode = "merge"
    artifact_path: str | None = None


class Check(StrEnum):
    """What must hold, beyond the event itself, before an activity goes on."""

    COMMENTER_MAY_WRITE = "commenter may write"
    """First of all: `Need.subject`, a login, has the permission `write`, `maintain` or `admin`."""
    HEAD_UNMOVED = "head unmoved"
    """The pull request's head is `Need.subject`, a commit hash; asked before fetching and before publishing."""
    SANDBOXED = "sandboxed"
    """The app's code comes from a fork (`Need.subject`): where secrets are, it must not be able to read them."""


@dataclass(frozen=True, slots=True)
class Need:
    """One check that is still to be made; where it fails the activity must not go on."""

    check: Check
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatePull:
    """Evaluate a pull request of which everything is known."""

    reason: str
    number: int
    head_sha: str
    base_sha: str
    """Tip of base when it was asked; not yet the commit to compare with."""
    base_ref: str
    head_ref: str
    head_repository: str | None
    """`owner/name`; None where the fork was deleted. Its commits are below `refs/pull/` all the same."""
    is_fork: bool
    draft: bool
    """A fact; whether drafts are skipped is for the config to say."""
    labels: tuple[str, ...]
    merge_sha: str | None
    """The merge commit that GitHub started the job for, if it did; its second parent must be `head_sha`."""
    compare_mode: CompareMode
    expects_secrets: bool
    """False where GitHub gives a read-only token and no secrets: expect a fallback instead of a comment."""
    asked: bool
    """Somebody asked for it by hand, so rules on drafts, paths and labels do not apply."""
    needs: tuple[Need, ...]

    @property
    def merge_ref(self) -> str:
        """Where GitHub keeps the merge of this pull request into its base."""
        return f"refs/pull/{self.number}/merge"

    @property
    def check_run_needed(self) -> bool:
        """Whether the job itself does not show at the pull request's head, so that only a check run can."""
        return self.asked


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvePull:
    """Ask the API for a pull request that was named by hand, then `complete` it to what is evaluated."""

    reason: str
    number: int
    pinned: str | None
    """The head that was meant, or the first 7 or more digits of it, in lower case."""
    needs: tuple[Need, ...]
    """To be made before the API is asked for anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateGroup:
    """Evaluate what a merge queue would merge; there is no pull request to comment on."""

    reason: str
    base_sha: str
    head_sha: str
    base_ref: str
    head_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateRefs:
    """Evaluate two refs that were named by hand; there is no pull request to comment on."""

    reason: str
    base_ref: str
    """Name of a branch or tag, or a commit hash."""
    head_ref: str
    compare_mode: CompareMode


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshBaseline:
    """Measure what is on the default branch now, for later comparisons."""

    reason: str
    sha: str
    ref: str
    """Name of the branch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishArtifact:
    """Publish the report of a run that had no right to.

    Whoever opened the pull request may have changed the workflow that ran: report and conclusion are claims. They are
    shown as advice, rendered again by us; a check run made of them is neutral, never a success.
    """

    reason: str
    artifact_path: str
    run_id: int
    run_attempt: int
    conclusion: str
    """How the run itself ended, by GitHub's word: `success` or `failure`."""
    head_sha: str
    head_branch: str | None
    head_repository: str | None
    is_fork: bool
    expects_secrets: bool
    """Whether the run could have published its report itself."""


@dataclass(frozen=True, slots=True)
class Skip:
    """There is nothing to do, and that is in order: the job passes."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """It must not, or cannot, be done: the job fails with exit code 2."""

    reason: str
    hint: str


Activity: TypeAlias = (
    EvaluatePull | ResolvePull | EvaluateGroup | EvaluateRefs | RefreshBaseline | PublishArtifact | Skip | Refuse
)
