"""Operations on check runs and commit statuses."""

from typing import Any

from tests.standin.github.access import Need, Refused
from tests.standin.github.api import REPO, Answer, Call, page, serves
from tests.standin.github.render import minimal_repository_body, moment
from tests.standin.github.render_checks import check_run_body, status_body
from tests.standin.github.state import CheckRun, Status

READ = Need("read", ("checks",))
WRITE = Need("write", ("checks",), app_only=True)
ONE = f"{REPO}/check-runs/{{check_run_id}}"
MOST_STATUSES = 1000
"""Statuses that GitHub allows for one commit and context."""


@serves("POST", f"{REPO}/check-runs", WRITE)
def create_check_run(call: Call) -> Answer:
    if call.body["head_sha"] not in call.repository.commits:
        raise Refused(422, f"No commit found for SHA: {call.body['head_sha']}")
    assert call.caller is not None and call.caller.app is not None  # Others were refused: the operation is for Apps.
    run = CheckRun(call.world.number(), call.caller.app, {"status": "queued", "started_at": moment(call.world.now())})
    _apply(call, run)
    call.repository.check_runs[run.id] = run
    body = check_run_body(call.links, call.repository, run)
    return Answer(201, body, {"Location": body["url"]})


@serves("GET", ONE, READ)
def get_check_run(call: Call) -> Answer:
    return Answer(200, check_run_body(call.links, call.repository, _run(call)))


@serves("PATCH", ONE, WRITE)
def update_check_run(call: Call) -> Answer:
    run = _run(call)
    assert call.caller is not None and call.caller.app is not None
    if call.caller.app != run.app:
        raise Refused(
            403,
            f"Invalid app_id `{call.caller.app.id}` - check run can only be modified by the GitHub App that created it.",
        )
    _apply(call, run)
    return Answer(200, check_run_body(call.links, call.repository, run))


@serves("GET", f"{REPO}/commits/{{ref}}/check-runs", READ)
def list_check_runs(call: Call) -> Answer:
    sha = call.commit(call.parameters["ref"]).sha
    runs = [run for run in call.repository.check_runs.values() if run.fields["head_sha"] == sha]
    for name, field in (("check_name", "name"), ("status", "status")):
        if name in call.query:
            runs = [run for run in runs if run.fields[field] == call.query[name]]
    if app := call.query.get("app_id"):
        runs = [run for run in runs if run.app.id == int(app)]
    if call.query.get("filter", "latest") == "latest":
        runs = list({(run.app.id, run.fields["name"]): run for run in runs}.values())
    shown, headers = page(call, runs[::-1])
    bodies = [check_run_body(call.links, call.repository, run) for run in shown]
    return Answer(200, {"total_count": len(runs), "check_runs": bodies}, headers)


def _run(call: Call) -> CheckRun:
    found = call.repository.check_runs.get(int(call.parameters["check_run_id"]))
    if found is None:
        raise Refused(404, "Not Found")
    return found


def _apply(call: Call, run: CheckRun) -> None:
    sent: dict[str, Any] = dict(call.body)
    if sent.get("status") == "completed" and not (sent.get("conclusion") or run.fields.get("conclusion")):
        raise Refused(422, 'Invalid request.\n\nNo subschema in "anyOf" matched.\n"conclusion" wasn\'t supplied.')
    if "conclusion" in sent:
        sent["status"] = "completed"
        sent.setdefault("completed_at", moment(call.world.now()))
    elif sent.get("status") in {"queued", "in_progress"}:
        run.fields.pop("conclusion", None)  # It runs again.
        run.fields.pop("completed_at", None)
    if "output" in sent:
        # Annotations are added to those of earlier requests; the texts replace the earlier ones.
        run.annotations += sent["output"].get("annotations", [])
        sent["output"] = {**run.fields.get("output", {}), **sent["output"]}
        sent["output"].pop("annotations", None)
    run.fields.update(sent)


@serves("POST", f"{REPO}/statuses/{{sha}}", Need("write", ("statuses",)))
def create_status(call: Call) -> Answer:
    sha, sent = call.parameters["sha"], call.body
    if sha not in call.repository.commits:
        raise Refused(422, f"No commit found for SHA: {sha}")
    context = sent.get("context", "default")
    if sum(status.sha == sha and status.context == context for status in call.repository.statuses) >= MOST_STATUSES:
        raise Refused(422, "Validation Failed", errors=[{
            "resource": "Status", "code": "custom",
            "message": "This SHA and context has reached the maximum number of statuses.",
        }])  # fmt: skip
    if len(sent.get("description") or "") > 140:
        raise Refused(422, "Validation Failed", errors=[{
            "resource": "Status", "code": "custom", "field": "description",
            "message": "description is too long (maximum is 140 characters)",
        }])  # fmt: skip
    status = Status(
        call.world.number(), sha, call.user, sent["state"], context, sent.get("description"), sent.get("target_url"),
        call.world.now(),
    )  # fmt: skip
    call.repository.statuses.append(status)
    body = status_body(call.links, call.repository, status, combined=False)
    return Answer(201, body, {"Location": body["url"]})


@serves("GET", f"{REPO}/commits/{{ref}}/status", Need("read", ("statuses",)))
def combined_status(call: Call) -> Answer:
    sha = call.commit(call.parameters["ref"]).sha
    latest = {status.context: status for status in call.repository.statuses if status.sha == sha}
    states = {status.state for status in latest.values()}
    state = "failure" if states & {"error", "failure"} else "success" if states == {"success"} else "pending"
    shown, headers = page(call, list(latest.values()))
    url = f"{call.links.repository(call.repository)}/commits/{sha}"
    body = {
        "state": state,
        "statuses": [status_body(call.links, call.repository, status, combined=True) for status in shown],
        "sha": sha,
        "total_count": len(latest),
        "repository": minimal_repository_body(call.links, call.repository),
        "commit_url": url,
        "url": f"{url}/status",
    }
    return Answer(200, body, headers)
