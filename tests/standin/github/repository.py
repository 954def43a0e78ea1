"""Operations on a repository: commits, comparisons, contents, refs, branches, runs, releases; and the rate limit."""

import base64
import binascii
from collections.abc import Iterator

from tests.standin.github.access import Need, Refused
from tests.standin.github.api import REPO, Answer, Call, page, serves
from tests.standin.github.render import full_repository_body
from tests.standin.github.render_git import (
    artifact_bodies,
    blob_sha,
    branch_body,
    commit_body,
    comparison_body,
    content_body,
    directory_body,
    file_commit_body,
    rate_limit_body,
    ref_body,
    release_body,
    run_body,
)
from tests.standin.github.state import Commit, Repository, WorkflowRun

CONTENTS = Need("read", ("contents",))
ACTIONS = Need("read", ("actions",))
RUN = f"{REPO}/actions/runs/{{run_id}}"


@serves("GET", "/rate_limit", Need("read", ()))
def rate_limit(call: Call) -> Answer:
    return Answer(200, rate_limit_body(*call.world.allowance(call.caller)))


@serves("GET", REPO, Need("read", ("metadata",)))
def get_repository(call: Call) -> Answer:
    user = call.caller.user if call.caller and call.caller.app is None else None
    role = call.world.role(call.repository, user) if user else None
    return Answer(200, full_repository_body(call.links, call.repository, role))


@serves("GET", f"{REPO}/commits/{{ref}}", CONTENTS)
def get_commit(call: Call) -> Answer:
    return Answer(200, commit_body(call.links, call.repository, call.commit(call.parameters["ref"]), files=True))


@serves("GET", f"{REPO}/compare/{{basehead}}", CONTENTS)
def compare(call: Call) -> Answer:
    base_name, dots, head_name = call.parameters["basehead"].partition("...")
    if not dots:
        raise Refused(404, "Not Found")
    base, head = (_side(call, name) for name in (base_name, head_name))
    of_base, of_head = (list(_history(call.repository, commit)) for commit in (base, head))
    before = {commit.sha for commit in of_base}
    shared = next((commit for commit in of_head if commit.sha in before), None)
    if shared is None:
        raise Refused(404, f"No common ancestor between {base_name} and {head_name}.")
    ahead = [commit for commit in reversed(of_head) if commit.sha not in before]
    behind = len(before - {commit.sha for commit in of_head})
    body = comparison_body(call.links, call.repository, base, head, shared, ahead, behind)
    body["commits"], headers = page(call, body["commits"]) if "per_page" in call.query else (body["commits"][:250], {})
    return Answer(200, body, headers)


def _side(call: Call, name: str) -> Commit:
    repository = call.repository
    if ":" in name:  # A fork's branch: all forks of one network know each other's commits.
        owner, _, name = name.partition(":")
        forks = (item for item in call.world.repositories.values() if item.owner.login == owner)
        repository = next((item for item in forks if repository in (item, item.parent)), repository)
    found = repository.resolve(name)
    if found is None:
        raise Refused(404, "Not Found")
    call.repository.commits.setdefault(found.sha, found)
    return found


def _history(repository: Repository, start: Commit) -> Iterator[Commit]:
    """A commit and all before it, nearest first."""
    waiting, seen = [start], set()
    while waiting:
        commit = waiting.pop(0)
        if commit.sha not in seen:
            seen.add(commit.sha)
            yield commit
            waiting += [repository.commits[sha] for sha in commit.parents if sha in repository.commits]


@serves("GET", f"{REPO}/contents/{{path}}", CONTENTS)
def get_contents(call: Call) -> Answer:
    path, ref = call.parameters["path"].strip("/"), call.query.get("ref") or call.repository.default_branch
    commit = call.repository.resolve(ref)
    if commit is None:
        raise Refused(404, f"No commit found for the ref {ref}")
    if path in commit.tree:
        return Answer(200, content_body(call.links, call.repository, path, commit.tree[path], ref))
    listed = directory_body(call.links, call.repository, path, commit, ref)
    if listed is None:
        raise Refused(404, "Not Found")
    return Answer(200, listed)


@serves("PUT", f"{REPO}/contents/{{path}}", Need("write", ("contents",)))
def put_contents(call: Call) -> Answer:
    path, sent, repository = call.parameters["path"].strip("/"), call.body, call.repository
    branch = sent.get("branch") or repository.default_branch
    if branch not in repository.branches:
        raise Refused(404, f"Branch {branch} not found")
    tip = repository.commits[repository.branches[branch]]
    try:
        content = base64.b64decode(sent["content"], validate=True)
    except binascii.Error:
        raise Refused(422, "content is not valid Base64") from None
    old = tip.tree.get(path)
    if old is not None and "sha" not in sent:
        raise Refused(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if "sha" in sent and sent["sha"] != (old is not None and blob_sha(old)):
        raise Refused(409, f"{path} does not match {sent['sha']}")
    commit = repository.add_commit(parents=[tip.sha], message=sent["message"], files={path: content}, branch=branch)
    body = file_commit_body(call.links, repository, path, content, commit, branch)
    return Answer(200 if old is not None else 201, body)


@serves("GET", f"{REPO}/git/matching-refs/{{ref}}", CONTENTS)
def matching_refs(call: Call) -> Answer:
    prefix = f"refs/{call.parameters['ref']}"
    found = [(ref, sha) for ref, sha in call.repository.refs() if ref.startswith(prefix)]
    return Answer(200, [ref_body(call.links, call.repository, ref, sha) for ref, sha in found])


@serves("GET", f"{REPO}/git/ref/{{ref}}", CONTENTS)
def get_ref(call: Call) -> Answer:
    ref = f"refs/{call.parameters['ref'].removeprefix('refs/')}"
    sha = dict(call.repository.refs()).get(ref)
    if sha is None:
        raise Refused(404, "Not Found")
    return Answer(200, ref_body(call.links, call.repository, ref, sha))


@serves("GET", f"{REPO}/branches/{{branch}}", CONTENTS)
def get_branch(call: Call) -> Answer:
    name = call.parameters["branch"]
    if name not in call.repository.branches:
        raise Refused(404, "Branch not found")
    commit = call.repository.commits[call.repository.branches[name]]
    return Answer(200, branch_body(call.links, call.repository, name, commit))


@serves("GET", RUN, ACTIONS)
def get_run(call: Call) -> Answer:
    return Answer(200, run_body(call.links, call.repository, _run(call)))


@serves("GET", f"{RUN}/artifacts", ACTIONS)
def list_artifacts(call: Call) -> Answer:
    bodies = list(artifact_bodies(call.links, call.repository, _run(call)))
    if name := call.query.get("name"):
        bodies = [body for body in bodies if body["name"] == name]
    shown, headers = page(call, bodies)
    return Answer(200, {"total_count": len(bodies), "artifacts": shown}, headers)


def _run(call: Call) -> WorkflowRun:
    found = call.repository.runs.get(int(call.parameters["run_id"]))
    if found is None:
        raise Refused(404, "Not Found")
    return found


@serves("GET", f"{REPO}/releases/latest", CONTENTS)
def latest_release(call: Call) -> Answer:
    if not call.repository.releases:
        raise Refused(404, "Not Found")
    number, tag, _ = call.repository.releases[-1]
    return Answer(200, release_body(call.links, call.repository, number, tag, call.world.now()))
