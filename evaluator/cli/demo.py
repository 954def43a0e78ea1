"""`llm-eval-gate demo`: the gate on a real little repository with the embedded model; a pass and a fail, no key."""

import argparse
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from evaluator.cli.gate import make_job
from evaluator.cli.world import Commands, World, run_until_stopped
from evaluator.errors import EvalGateError, ExitCode, InfrastructureError
from evaluator.resources import resource_folder

_EXAMPLE = resource_folder("examples") / "intent-router"
_PROMPT = "prompts/route.prompt.yml"


@dataclass(frozen=True, slots=True)
class _PullRequest:
    branch: str
    title: str
    change: str
    expected: str


_PULL_REQUESTS = (
    _PullRequest("tidy-prompt", "Tidy the wording of the routing prompt", "harmless.prompt.yml", "pass"),
    _PullRequest("cheaper-prompt", "Drop the examples to save tokens", "regression.prompt.yml", "fail"),
)


def add_command(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("demo", help="see a pass and a fail on an example, with a small model on this machine")
    parser.add_argument("--fresh", action="store_true", help="ask the model again instead of using cached answers")
    parser.set_defaults(command=_demo)


def _demo(arguments: argparse.Namespace, world: World) -> int:
    from evaluator.source.scratch import scratch_folder

    if not _EXAMPLE.is_dir():
        raise EvalGateError(
            f"the example is not installed (looked in {_EXAMPLE})",
            hint="run `make demo` in a checkout of llm-eval-gate",
        )
    started = time.monotonic()
    with scratch_folder("demo-") as scratch:
        repo = _make_repository(scratch / "intent-router")
        world.say("An app that routes support tickets with a small model on this machine's CPU (SmolLM2-135M).")
        world.say("Two pull requests change its prompt. The gate runs base and head on 120 tickets each.")
        states = [_review(pull_request, repo, arguments, world) for pull_request in _PULL_REQUESTS]
    world.say(f"Both reviewed in {time.monotonic() - started:.0f} s. Run it again: answers now come from the cache.")
    world.say("The model runs here and costs nothing; the prices in the example's config are invented.")
    world.say(f"Next: `{Path(sys.argv[0]).absolute()} init` in your own repository.")
    expected = [pull_request.expected for pull_request in _PULL_REQUESTS]
    if states != expected:
        raise InfrastructureError(
            f"the demo's verdicts are {' and '.join(states)}, expected {' and '.join(expected)}",
            hint="please report this, with the two result.json files",
        )
    return ExitCode.PASS


def _review(pull_request: _PullRequest, repo: Path, arguments: argparse.Namespace, world: World) -> str:
    from evaluator.pipeline import finish, gate
    from evaluator.report.files import write_reports

    world.say()
    world.say(f"──── Pull request: {pull_request.title} ({pull_request.branch}) " + "─" * 20)
    wanted = argparse.Namespace(
        repo=repo,
        config=None,
        resume=not arguments.fresh,
        no_cache=arguments.fresh,
        no_merge_base=False,
        engine=None,
        time_limit=None,
        out=None,
        json=False,
    )
    job = replace(make_job(wanted, world, base="main", head=pull_request.branch), rerun="llm-eval-gate demo", resume="")
    outcome = run_until_stopped(gate(job), world)
    files = write_reports(outcome.document, job.home / "demo" / pull_request.branch)
    finish(outcome)
    world.say("The comment on the pull request, down to its folded part:")
    world.say()
    for line in files.comment.read_text("utf-8").partition("<details>")[0].rstrip().splitlines():
        world.say(f"  {line}" if line else "")
    world.say()
    world.say(f"whole comment: {files.comment}")
    world.say(f"HTML report:   {files.html}")
    return outcome.verdict.state


def _make_repository(repo: Path) -> Path:
    """A real git repository: main with the example, and a branch for each pull request."""
    shutil.copytree(_EXAMPLE, repo, ignore=shutil.ignore_patterns("changes", "__pycache__"))

    def git(*words: str) -> None:
        identity = ("-c", "user.name=Demo", "-c", "user.email=demo@example.invalid", "-c", "commit.gpgsign=false")
        isolated = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "PATH": _search_path()}
        when = "2026-01-05T09:00:00Z"  # fixed, so that the commits are the same on every machine
        try:
            subprocess.run(  # noqa: S603  our own words
                ["git", *identity, *words],  # noqa: S607  the user's git
                cwd=repo,
                check=True,
                capture_output=True,
                env={**isolated, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when, "LC_ALL": "C.UTF-8"},
            )
        except FileNotFoundError:
            raise EvalGateError("git is not installed", hint="install git, then try again") from None
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode("utf-8", "replace").strip()
            raise InfrastructureError(f"the example's repository cannot be made: {said[:300]}") from None

    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", "--message", "Route support tickets with a few-shot prompt")
    for pull_request in _PULL_REQUESTS:
        git("switch", "--quiet", "--create", pull_request.branch, "main")
        shutil.copyfile(_EXAMPLE / "changes" / pull_request.change, repo / _PROMPT)
        git("commit", "--quiet", "--all", "--message", pull_request.title)
    git("switch", "--quiet", "main")
    return repo


def _search_path() -> str:
    import os

    return os.environ.get("PATH", os.defpath)
