"""Bodies of answers: check runs and commit statuses."""

from tests.standin.github.render import Body, Links, app_body, moment, user_body
from tests.standin.github.state import CheckRun, Pull, Repository, Status


def check_run_body(links: Links, repository: Repository, run: CheckRun) -> Body:
    url, sent = f"{links.repository(repository)}/check-runs/{run.id}", run.fields
    output = sent.get("output") or {}
    pulls = [pull for pull in repository.pulls.values() if pull.is_pull and pull.head_sha == sent["head_sha"]]
    return {
        "id": run.id,
        "node_id": f"CR_{run.id}",
        "name": sent["name"],
        "head_sha": sent["head_sha"],
        "url": url,
        "html_url": f"{links.page(repository)}/runs/{run.id}",
        "details_url": sent.get("details_url") or f"{links.page(repository)}/runs/{run.id}",
        "external_id": sent.get("external_id", ""),
        "status": sent.get("status", "queued"),
        "conclusion": sent.get("conclusion"),
        "started_at": sent.get("started_at"),
        "completed_at": sent.get("completed_at"),
        "output": {
            **{name: output.get(name) for name in ("title", "summary", "text")},
            "annotations_count": len(run.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": run.app.id},
        "app": app_body(links, run.app, repository.created_at),
        # A fork's pull request is not listed.
        "pull_requests": [
            pull_reference_body(links, repository, pull) for pull in pulls if pull.head_repository is repository
        ],
    }


def pull_reference_body(links: Links, repository: Repository, pull: Pull) -> Body:
    """A pull request as a check run and a workflow run name it."""
    home = pull.head_repository or repository
    return {
        "id": pull.id,
        "number": pull.number,
        "url": f"{links.repository(repository)}/pulls/{pull.number}",
        "head": _side(links, pull.head_ref, pull.head_sha, home),
        "base": _side(links, pull.base_ref, pull.base_sha, repository),
    }


def status_body(links: Links, repository: Repository, status: Status, *, combined: bool) -> Body:
    body = {
        "id": status.id,
        "node_id": f"SC_{status.id}",
        "url": f"{links.repository(repository)}/statuses/{status.sha}",
        "avatar_url": f"{links.web}/avatars/{status.creator.id}",
        "state": status.state,
        "description": status.description,
        "target_url": status.target_url,
        "context": status.context,
        "created_at": moment(status.at),
        "updated_at": moment(status.at),
    }
    return body if combined else {**body, "creator": user_body(links, status.creator)}


def _side(links: Links, ref: str, sha: str, repository: Repository) -> Body:
    home = {"id": repository.id, "url": links.repository(repository), "name": repository.name}
    return {"ref": ref, "sha": sha, "repo": home}
