"""Operations on pull requests."""

from tests.standin.github.access import Need, Refused
from tests.standin.github.api import REPO, Answer, Call, page, serves
from tests.standin.github.render import full_pull_body, pull_body
from tests.standin.github.render_git import file_body

READ = Need("read", ("pull_requests",))


@serves("GET", f"{REPO}/pulls", READ)
def list_pulls(call: Call) -> Answer:
    wanted = call.query.get("state", "open")
    pulls = [pull for pull in call.repository.pulls.values() if pull.is_pull and wanted in {"all", pull.state}]
    if base := call.query.get("base"):
        pulls = [pull for pull in pulls if pull.base_ref == base]
    head = call.query.get("head", "")
    if ":" in head:  # Without an owner GitHub ignores the filter.
        pulls = [pull for pull in pulls if pull_body(call.links, call.repository, pull)["head"]["label"] == head]
    keys = {"updated": lambda pull: (pull.updated_at, pull.number)}
    pulls.sort(key=keys.get(call.query.get("sort", "created"), lambda pull: pull.number))
    if call.query.get("direction", "desc") == "desc":
        pulls.reverse()
    shown, headers = page(call, pulls)
    return Answer(200, [pull_body(call.links, call.repository, pull) for pull in shown], headers)


@serves("GET", f"{REPO}/pulls/{{pull_number}}", READ)
def get_pull(call: Call) -> Answer:
    return Answer(200, full_pull_body(call.links, call.repository, call.pull()))


@serves("GET", f"{REPO}/pulls/{{pull_number}}/files", READ)
def list_files(call: Call) -> Answer:
    pull = call.pull()
    # GitHub lists no more than 3,000 files.
    shown, headers = page(call, pull.files[:3000])
    return Answer(200, [file_body(call.links, call.repository, file, pull.head_sha) for file in shown], headers)


@serves("GET", f"{REPO}/commits/{{commit_sha}}/pulls", READ)
def pulls_of_commit(call: Call) -> Answer:
    sha = call.parameters["commit_sha"]
    if call.repository.resolve(sha) is None:
        raise Refused(422, f"No commit found for SHA: {sha}")
    # A fork's pull request is found where its commit is: by asking the fork, not the repository that it is for.
    pulls = [
        (home, pull)
        for home in (call.repository, call.repository.parent)
        if home is not None
        for pull in home.pulls.values()
        if pull.is_pull and pull.head_repository is call.repository and pull.head_sha == sha
    ]
    shown, headers = page(call, pulls)
    return Answer(200, [pull_body(call.links, home, pull) for home, pull in shown], headers)
