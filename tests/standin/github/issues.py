"""Operations on issues and their comments, and on users."""

from datetime import datetime

from tests.standin.github.access import ROLES, Need, Refused
from tests.standin.github.api import REPO, Answer, Call, page, serves
from tests.standin.github.render import (
    comment_body,
    full_pull_body,
    label_bodies,
    own_user_body,
    reactions,
    role_flags,
    user_body,
)
from tests.standin.github.state import Comment

LONGEST_COMMENT = 65_536
"""Characters."""

READ = Need("read", ("issues", "pull_requests"))
WRITE = Need("write", ("issues", "pull_requests"))
LIST, ONE = f"{REPO}/issues/{{issue_number}}/comments", f"{REPO}/issues/comments/{{comment_id}}"


@serves("GET", "/user", Need("read", ()))
def own_user(call: Call) -> Answer:
    if call.caller is not None and call.caller.app is not None:
        raise Refused(403, "Resource not accessible by integration")
    return Answer(200, own_user_body(call.links, call.user, call.world.started))


@serves("GET", f"{REPO}/collaborators/{{username}}/permission", Need("read", ("metadata",)))
def permission(call: Call) -> Answer:
    login = call.parameters["username"]
    user = next((user for name, user in call.world.users.items() if name.lower() == login.lower()), None)
    if user is None:
        raise Refused(404, f"{login} is not a user")
    if call.caller is None:
        raise Refused(401, "Requires authentication")
    repository = call.repository
    role = call.world.role(repository, user) or ("none" if repository.private else "read")
    legacy = {"maintain": "write", "triage": "read"}.get(role, role)
    shown = {**user_body(call.links, user), "permissions": role_flags(role), "role_name": role if role in ROLES else ""}
    return Answer(200, {"permission": legacy, "role_name": shown["role_name"], "user": shown})


@serves("GET", f"{REPO}/issues/{{issue_number}}", READ)
def issue(call: Call) -> Answer:
    pull = call.pull("issue_number", issue=True)
    whole = full_pull_body(call.links, call.repository, pull)
    same = [
        "id",
        "number",
        "state",
        "title",
        "body",
        "user",
        "assignee",
        "assignees",
        "milestone",
        "locked",
        "comments",
        "closed_at",
        "created_at",
        "updated_at",
        "author_association",
        "comments_url",
    ]
    url = f"{call.links.repository(call.repository)}/issues/{pull.number}"
    kind = "pull" if pull.is_pull else "issues"
    body = {
        **{name: whole[name] for name in same},
        "node_id": f"I_{pull.id}",
        "url": url,
        "repository_url": call.links.repository(call.repository),
        "labels_url": f"{url}/labels{{/name}}",
        "events_url": f"{url}/events",
        "timeline_url": f"{url}/timeline",
        "html_url": f"{call.links.page(call.repository)}/{kind}/{pull.number}",
        "labels": label_bodies(call.links, call.repository, pull.labels),
        "reactions": reactions(url),
        "performed_via_github_app": None,
    }
    if pull.is_pull:
        body["draft"] = pull.draft
        body["pull_request"] = {
            **{name: whole[name] for name in ("url", "html_url", "diff_url", "patch_url", "merged_at")}
        }
    return Answer(200, body)


@serves("GET", LIST, READ)
def list_comments(call: Call) -> Answer:
    pull = call.pull("issue_number", issue=True)
    comments = call.repository.comments_on(pull.number)
    if lag := call.world.list_lag:
        comments = [comment for comment in comments if comment.created_at <= call.world.now() - lag]
    if since := call.query.get("since"):
        oldest = datetime.fromisoformat(since).timestamp()
        comments = [comment for comment in comments if comment.updated_at >= oldest]
    shown, headers = page(call, comments)
    return Answer(200, [comment_body(call.links, call.repository, comment) for comment in shown], headers)


@serves("POST", LIST, WRITE)
def create_comment(call: Call) -> Answer:
    pull = call.pull("issue_number", issue=True)
    if pull.locked and call.world.rank(call.repository, call.caller) < call.world.WRITES:
        raise Refused(403, "Unable to create comment because issue is locked.")
    _check_length(call.body["body"])
    app = call.caller.app if call.caller else None
    comment = call.repository.add_comment(pull.number, call.body["body"], user=call.user, app=app)
    body = comment_body(call.links, call.repository, comment)
    return Answer(201, body, {"Location": body["url"]})


@serves("GET", ONE, READ)
def get_comment(call: Call) -> Answer:
    return Answer(200, comment_body(call.links, call.repository, _comment(call)))


@serves("PATCH", ONE, WRITE)
def edit_comment(call: Call) -> Answer:
    comment = _comment(call)
    _check_author(call, comment)
    _check_length(call.body["body"])
    comment.body, comment.updated_at = call.body["body"], call.world.now()
    return Answer(200, comment_body(call.links, call.repository, comment))


@serves("DELETE", ONE, WRITE)
def delete_comment(call: Call) -> Answer:
    comment = _comment(call)
    _check_author(call, comment)
    del call.repository.comments[comment.id]
    return Answer(204)


def _comment(call: Call) -> Comment:
    found = call.repository.comments.get(int(call.parameters["comment_id"]))
    if found is None:
        raise Refused(404, "Not Found")
    return found


def _check_author(call: Call, comment: Comment) -> None:
    """Others' comments are for those who can push."""
    if comment.user.login != call.user.login and call.world.rank(call.repository, call.caller) < call.world.WRITES:
        raise Refused(403, "Must have admin rights to Repository.")


def _check_length(body: str) -> None:
    if not body.strip():
        raise Refused(422, "Validation Failed", errors=[
            {"resource": "IssueComment", "code": "missing_field", "field": "body"},
        ])  # fmt: skip
    if len(body) > LONGEST_COMMENT:
        raise Refused(422, "Validation Failed", errors=[{
            "resource": "IssueComment", "code": "unprocessable", "field": "data",
            "message": f"Body is too long (maximum is {LONGEST_COMMENT} characters)",
        }])  # fmt: skip
