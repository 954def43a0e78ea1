"""A small world around the action: an app's repository on a stand-in GitHub, real git over HTTP, a model provider.

A test opens a pull request, runs a workflow by act or the container as GitHub's runner does, and looks at what is on GitHub.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.container.act import ActRun, run_act
from tests.container.docker_run import ContainerRun, run_container
from tests.container.engine import ROOT, Engine
from tests.standin.app import CONFIG, PROMPT, commit, git, make_app
from tests.standin.git_http import GitServer, git_http
from tests.standin.github import GitHub, Pull, Repository, running_github
from tests.standin.provider import StandIn
from tests.standin.threaded import running

HOME, FORK = "Codertocat/Hello-World", "Mallory/Hello-World"
"""The names in GitHub's own example payloads."""
KEY = "sk-the-provider-key"
EVENTS = ROOT / "tests" / "github" / "events"
WORKFLOWS = ROOT / "examples" / "workflows"
WRITES = {"contents": "read", "pull_requests": "write", "checks": "write"}
READS = {"contents": "read", "pull_requests": "read"}
WRONG_OF_TEN = {"good": 0, "better": 0, "bad": 5}
"""How many of ten questions are answered wrongly under a system prompt."""
PROMPT_FILE = "prompts__answer_dot_prompt_dot_yml"


@dataclass
class Scene:
    """The world; `open_pull` and `push` change it, `act` and `container` run the action in it."""

    folder: Path
    engine: Engine
    runner_image: str
    gate_image: str
    action: Path
    """Folder that stands for `org/llm-eval-gate@v1`."""
    github: GitHub
    repository: Repository
    """The app's repository on the stand-in."""
    fork: Repository
    git_server: GitServer
    provider: StandIn
    app: Path
    """The app's repository as a developer has it."""
    token: str
    """A job's token that may comment and make check runs."""
    read_only_token: str
    """The token of a fork's job."""
    first_calls: list[float] = field(default_factory=list)
    """When the provider was first asked in each run, in seconds since the epoch; empty if it was not."""
    runs: int = 0

    def open_pull(self, number: int = 7, *, system: str | None = None, from_fork: bool = False, **files: str) -> Pull:
        """Open a pull request.

        Args:
            number: Its number.
            system: The new system prompt, a key of `WRONG_OF_TEN`; the prompt is left as it is if None.
            from_fork: It comes from another repository.
            files: Further files, named as for `tests.standin.app.commit`.
        """
        git(self.app, "switch", "--quiet", "--create", f"topic-{number}", "main")
        base, head, merge = self._change(number, system, files)
        return self.repository.add_pull(
            number,
            head_sha=head,
            base_sha=base,
            merge_commit_sha=merge,
            head_ref=f"topic-{number}",
            head_repository=self.fork if from_fork else None,
            files=git(self.app, "diff", "--name-only", base, head).splitlines(),
        )

    def push(self, pull: Pull, *, system: str | None = None, **files: str) -> None:
        """Push one more commit to a pull request."""
        git(self.app, "switch", "--quiet", f"topic-{pull.number}")
        _, head, merge = self._change(pull.number, system, files)
        self.repository.push(pull.number, head, merge_commit_sha=merge)

    def change_main(self, **files: str) -> None:
        """Commit files to main, named as for `tests.standin.app.commit`, before pull requests are opened."""
        git(self.app, "switch", "--quiet", "main")
        commit(self.app, "On main", **files)
        self.git_server.push(HOME, self.app, "+refs/heads/main:refs/heads/main")
        self.register_main()

    def register_main(self) -> None:
        """Let the stand-in GitHub know the tip of main."""
        sha = git(self.app, "rev-parse", "main")
        self._register(sha)
        self.repository.branches["main"] = sha

    def payload(self, name: str, pull: Pull | None = None) -> dict[str, Any]:
        """Give an example payload of GitHub's, with our pull request in it.

        Args:
            name: File below tests/github/events without `.json`.
            pull: What the payload's `pull_request` is to be.
        """
        text = (EVENTS / f"{name}.json").read_text("utf-8").replace("octo-org/octo-repo", HOME)
        document: dict[str, Any] = json.loads(text)
        document["repository"]["default_branch"] = "main"
        if pull is not None:
            document["number"] = pull.number
            theirs = document["pull_request"]
            theirs.update(number=pull.number, merge_commit_sha=pull.merge_commit_sha, draft=pull.draft)
            theirs["head"].update(ref=pull.head_ref, sha=pull.head_sha)
            theirs["base"].update(ref=pull.base_ref, sha=pull.base_sha)
        return document

    def pull_payload(self, pull: Pull) -> dict[str, Any]:
        """Give the payload of a push to a pull request."""
        kind = "same_repo" if pull.head_repository is self.repository else "fork"
        return self.payload(f"pull_request.synchronize.{kind}", pull)

    def act(
        self,
        workflow: str | Path = "pull-request.yml",
        *,
        event: str = "pull_request",
        payload: Mapping[str, Any],
        at: str = "main",
        token: str | None = None,
        secrets: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        artifacts: Mapping[str, Path] | None = None,
        options: tuple[str, ...] = (),
    ) -> ActRun:
        """Run a workflow.

        Args:
            workflow: A file below examples/workflows, or any other.
            event: The event's name.
            payload: The event's payload.
            at: The commit, branch or ref of the workspace: for a pull request its merge commit.
            token: The job's token; one that may write if None.
            secrets: The repository's secrets; the provider's key if None.
            variables: The repository's variables.
            artifacts: What `download-artifact` finds, by name.
            options: Further options of act.
        """
        workspace = self._workspace(at)
        for name, folder in (artifacts or {}).items():
            shutil.copytree(folder, workspace / ".artifacts" / name)
        return run_act(
            self.engine,
            workspace,
            event=event,
            payload=payload,
            workflow=workflow if isinstance(workflow, Path) else WORKFLOWS / workflow,
            runner_image=self.runner_image,
            action=self.action,
            environ=self._environ(),
            secrets={"GITHUB_TOKEN": token or self.token, **({"OPENAI_API_KEY": KEY} if secrets is None else secrets)},
            variables=variables,
            options=options,
        )

    def container(
        self,
        *,
        event: str = "pull_request",
        payload: Mapping[str, Any],
        at: str = "main",
        ref: str = "refs/heads/main",
        token: str | None = None,
        inputs: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        network: str = "host",
    ) -> ContainerRun:
        """Run the action's container as GitHub's runner does; arguments as for `act`, `ref` is GITHUB_REF."""
        return run_container(
            self.engine,
            self.gate_image,
            self._workspace(at),
            event=event,
            payload=payload,
            network=network,
            inputs={"github-token": token or self.token, **(inputs or {})},
            environ={
                **self._environ(),
                "GITHUB_SHA": git(self.app, "rev-parse", at),
                "GITHUB_REF": ref,
                "OPENAI_API_KEY": KEY,
                **(environ or {}),
            },
        )

    def comments(self, pull: Pull) -> list[str]:
        """Give the texts of a pull request's comments."""
        return [comment.body for comment in self.repository.comments_on(pull.number)]

    def _environ(self) -> dict[str, str]:
        self.runs += 1
        self.first_calls.append(0.0)
        return {
            "GITHUB_REPOSITORY": HOME,
            "GITHUB_API_URL": self.github.url,
            "GITHUB_GRAPHQL_URL": f"{self.github.url}/graphql",
            "GITHUB_SERVER_URL": self.git_server.url,
            "GITHUB_RUN_ID": str(1000 + self.runs),
            "GITHUB_RUN_NUMBER": str(self.runs),
        }

    def _workspace(self, at: str) -> Path:
        target = self.folder / f"workspace-{self.runs + 1}"
        git(self.folder, "clone", "--quiet", str(self.app), str(target))
        git(target, "fetch", "--quiet", str(self.app), git(self.app, "rev-parse", at))
        git(target, "checkout", "--quiet", "--detach", "FETCH_HEAD")
        # act takes the repository's name from here.
        git(target, "remote", "set-url", "origin", f"https://github.com/{HOME}")
        return target

    def _change(self, number: int, system: str | None, files: Mapping[str, str]) -> tuple[str, str, str]:
        """Commit, merge into main as GitHub does for refs/pull/N/merge, and publish; give base, head and merge."""
        prompt = {} if system is None else {PROMPT_FILE: PROMPT.format(system=system)}
        commit(self.app, f"Prompt: {system}", **prompt, **files)
        base, head = git(self.app, "rev-parse", "main"), git(self.app, "rev-parse", "HEAD")
        tree = git(self.app, "merge-tree", "--write-tree", base, head).splitlines()[0]
        merge = git(self.app, "commit-tree", tree, "-p", base, "-p", head, "-m", f"Merge {head} into {base}")
        git(self.app, "update-ref", f"refs/pull/{number}/head", head)
        git(self.app, "update-ref", f"refs/pull/{number}/merge", merge)
        self.git_server.push(
            HOME, self.app, f"+refs/pull/{number}/*:refs/pull/{number}/*", "+refs/heads/main:refs/heads/main"
        )
        for sha in (base, head, merge):
            self._register(sha)
        return base, head, merge

    def _register(self, sha: str) -> None:
        """Let the stand-in GitHub know a commit with its files."""
        names = git(self.app, "ls-tree", "-r", "--name-only", sha).splitlines()
        show = ("git", "-C", str(self.app), "show")
        files = {
            name: subprocess.run([*show, f"{sha}:{name}"], check=True, capture_output=True).stdout for name in names
        }
        parents = git(self.app, "rev-list", "--parents", "--max-count=1", sha).split()[1:]
        message = git(self.app, "log", "-1", "--format=%B", sha)
        self.repository.add_commit(sha, parents=parents, message=message, files=files)


@contextmanager
def make_scene(
    folder: Path,
    engine: Engine,
    *,
    runner_image: str,
    gate_image: str,
    action: Path,
    config: str = CONFIG,
    cases: int = 40,
) -> Iterator[Scene]:
    """Make a scene and run its servers for as long as the block lasts; at its end GitHub's API was not misused.

    Args:
        folder: Empty; everything is made there.
        engine: Where containers run.
        runner_image: Image that stands for `ubuntu-latest`.
        gate_image: The action's image.
        action: Folder that stands for `org/llm-eval-gate@v1`.
        config: The app's config, with a place for the provider's `url`.
        cases: Size of the golden set.
    """
    scenes: list[Scene] = []

    def answer(body: Mapping[str, Any], number: int) -> str:
        for scene in scenes:
            if scene.first_calls and not scene.first_calls[-1]:
                scene.first_calls[-1] = time.time()
        system, question = (message["content"] for message in body["messages"])
        case = int(question.rsplit(" ", 1)[1])
        return "falsch" if case % 10 < WRONG_OF_TEN[system] else f"답 {case}"

    with running_github() as github, git_http(folder / "git") as git_server, running(answer) as provider:
        app = make_app(
            folder / "app", provider.url, cases=cases, config=config.replace("STANDIN_KEY", "OPENAI_API_KEY")
        )
        git(app, "switch", "--quiet", "main")
        git_server.create(HOME, app)
        repository = github.add_repository(HOME, default_branch="main")
        fork = github.add_repository(FORK, default_branch="main", parent=repository)
        token = github.installation_token(WRITES)
        read_only_token = github.installation_token(READS)
        git_server.tokens.update({token, read_only_token})
        scene = Scene(
            folder, engine, runner_image, gate_image, action,
            github, repository, fork, git_server, provider, app, token, read_only_token,
        )  # fmt: skip
        scenes.append(scene)
        scene.register_main()
        yield scene
        assert github.violations == []
