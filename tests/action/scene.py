"""A repository with a pull request on stand-ins for GitHub, its git server and a provider, and the action run on it.

Everything between is real: git over HTTP, PyGithub over HTTP, the gateway over HTTP.
"""

import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluator.action.main import run_action
from evaluator.github.client import Client, connect
from evaluator.github.comment import Pace
from evaluator.github.settings import Settings
from tests.pipeline.commands import right
from tests.standin.app import CONFIG, PROMPT, commit, git, make_app
from tests.standin.git_http import GitServer, git_http
from tests.standin.github import GitHub, Repository, running_github
from tests.standin.provider import Answerer, StandIn
from tests.standin.threaded import running

NAME = "acme/app"
PULL = {"contents": "read", "pull_requests": "write", "checks": "write"}
READ_ONLY = {"contents": "read", "pull_requests": "read", "checks": "read"}
NUMBER = 7


@dataclass(frozen=True)
class Ran:
    """What a job left."""

    code: int
    log: str
    outputs: dict[str, str]
    summary: str
    report: Path

    @property
    def result(self) -> dict[str, Any]:
        """The result document."""
        found: dict[str, Any] = json.loads((self.report / "result.json").read_text("utf-8"))
        return found


@dataclass
class Scene:
    """The stand-ins, and a clone to commit in."""

    folder: Path
    github: GitHub
    server: GitServer
    provider: StandIn
    clone: Path
    repository: Repository
    jobs: int = 0
    extra: dict[str, str] = field(default_factory=dict)
    """Environment of all jobs."""

    def sha(self, ref: str) -> str:
        return git(self.clone, "rev-parse", ref)

    def publish(self, branch: str = "change", *, merge: bool = True, fork: Repository | None = None) -> None:
        """Push main and the branch to the server, with GitHub's own refs, and open or update the pull request."""
        head = self.sha(branch)
        if merge:
            git(self.clone, "switch", "--quiet", "--detach", "main")
            git(self.clone, "merge", "--quiet", "--no-ff", "--message", f"Merge {branch}", branch)
            merged = self.sha("HEAD")
            git(self.clone, "switch", "--quiet", branch)
            self.server.push(NAME, self.clone, f"+{merged}:refs/pull/{NUMBER}/merge")
        own = [] if fork is not None else [f"+{branch}:refs/heads/{branch}"]
        self.server.push(NAME, self.clone, "+main:refs/heads/main", f"+{head}:refs/pull/{NUMBER}/head", *own)
        self._tell_history()
        if NUMBER not in self.repository.pulls:
            self.repository.add_pull(
                NUMBER, head_sha=head, base_sha=self.sha("main"), head_ref=branch, user="ann",
                head_repository=fork,
            )  # fmt: skip
        else:
            self.repository.push(NUMBER, head)

    def _tell_history(self) -> None:
        """Have GitHub know the same commits as the git server."""
        for line in git(self.clone, "rev-list", "--all", "--reverse", "--topo-order", "--parents").splitlines():
            sha, *parents = line.split()
            if sha not in self.repository.commits:
                self.repository.add_commit(sha, parents=parents)
        self.repository.branches["main"] = self.sha("main")

    def pull_payload(self, action: str = "synchronize", **fields: Any) -> dict[str, Any]:
        """The payload of a pull_request event."""
        pull = self.repository.pulls[NUMBER]
        home = pull.head_repository.full_name if pull.head_repository else None
        return {
            "action": action,
            "number": NUMBER,
            "pull_request": {
                "number": NUMBER, "state": "open", "merged": False, "draft": False, "labels": [],
                "user": {"login": "ann"}, "title": "Another prompt @everyone",
                "head": {"sha": pull.head_sha, "ref": pull.head_ref, "repo": {"full_name": home} if home else None},
                "base": {"sha": self.sha("main"), "ref": "main", "repo": {"full_name": NAME}},
                **fields,
            },
            "repository": {"full_name": NAME, "default_branch": "main"},
            "sender": {"login": "ann"},
        }  # fmt: skip

    def environ(
        self, event: str, payload: Mapping[str, Any], *, token: str | None = None, sha: str | None = None,
        inputs: Mapping[str, str] | None = None, **environ: str,
    ) -> dict[str, str]:  # fmt: skip
        """The environment of a job as the runner sets it."""
        self.jobs += 1
        room = self.folder / f"job-{self.jobs}"
        workspace = room / "workspace"
        workspace.mkdir(parents=True)
        (room / "event.json").write_text(json.dumps(payload), "utf-8")
        token = token or self.github.installation_token(PULL)
        self.server.tokens.add(token)
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder / "home"),
            "LLM_EVAL_GATE_HOME": str(self.folder / "home"),
            "STANDIN_KEY": "k-secret",
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(room / "event.json"),
            "GITHUB_REPOSITORY": NAME,
            "GITHUB_WORKSPACE": str(workspace),
            "GITHUB_SHA": sha or self.sha("main"),
            "GITHUB_REF": f"refs/pull/{NUMBER}/merge",
            "GITHUB_RUN_ID": str(1000 + self.jobs),
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_SERVER_URL": self.server.url,
            "GITHUB_API_URL": self.github.url,
            "GITHUB_OUTPUT": str(room / "output"),
            "GITHUB_STEP_SUMMARY": str(room / "summary.md"),
            "INPUT_GITHUB-TOKEN": token,
            **{f"INPUT_{name.upper()}": value for name, value in (inputs or {}).items()},
            **self.extra,
            **environ,
        }

    def run(self, event: str = "pull_request", payload: Mapping[str, Any] | None = None, **given: Any) -> Ran:
        """Run the action on an event."""
        return self.run_prepared(self.environ(event, self.pull_payload() if payload is None else payload, **given))

    def run_prepared(self, environ: Mapping[str, str]) -> Ran:
        """Run the action in an environment that is ready."""
        out = io.StringIO()
        code = run_action(environ, out, door=_door, pace=Pace(settle_s=0.01, retry_s=0.01))
        assert "Traceback" not in out.getvalue()
        assert self.github.violations == [], self.github.violations
        output, summary = Path(environ["GITHUB_OUTPUT"]), Path(environ["GITHUB_STEP_SUMMARY"])
        return Ran(
            code, out.getvalue(), read_outputs(output) if output.exists() else {},
            summary.read_text("utf-8") if summary.exists() else "",
            Path(environ["GITHUB_WORKSPACE"]) / environ.get("INPUT_REPORT-PATH", "llm-eval-gate-report"),
        )  # fmt: skip

    def comments(self) -> list[str]:
        """The comments on the pull request."""
        return [comment.body for comment in self.repository.comments_on(NUMBER)]


def _door(settings: Settings) -> Client:
    return connect(
        settings.api_url, settings.repository, settings.token, seconds_between_writes=0, sleep=lambda _: None
    )


def read_outputs(path: Path) -> dict[str, str]:
    """Read step outputs as the runner does."""
    return {
        found["name"]: found["value"]
        for found in re.finditer(
            r"^(?P<name>[\w-]+)<<(?P<mark>\S+)\n(?P<value>.*?)\n(?P=mark)$", path.read_text("utf-8"), re.M | re.S
        )
    }


@contextmanager
def scene(
    folder: Path, answer: Answerer = right, *, cases: int = 40, config: str = CONFIG, fork: bool = False
) -> Iterator[Scene]:
    """Run all stand-ins, with an app on main and a pull request that changes its prompt."""
    with running(answer) as provider, running_github() as github, git_http(folder / "git") as server:
        clone = make_app(folder / "clone", provider.url, cases=cases, config=config)
        server.create(NAME, clone)
        repository = github.add_repository(NAME, collaborators={"ann": "write", "olga": "read"})
        found = Scene(folder, github, server, provider, clone, repository)
        stranger = github.add_repository("mallory/app", parent=repository) if fork else None
        found.publish(fork=stranger)
        yield found


def push_prompt(found: Scene, system: str, *, fork: Repository | None = None) -> None:
    """Another commit on the pull request."""
    commit(found.clone, f"prompt {system}", prompts__answer_dot_prompt_dot_yml=PROMPT.format(system=system))
    found.publish(fork=fork)
