"""Bodies of answers: users, repositories, pull requests, comments, checks, as GitHub writes them."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tests.standin.github.access import ROLES, App, User
from tests.standin.github.state import Comment, Pull, Repository

Body = dict[str, Any]


class Links:
    """Where the API and the web pages are."""

    def __init__(self, api: str, web: str) -> None:
        self.api = api
        self.web = web

    def repository(self, repository: Repository) -> str:
        return f"{self.api}/repos/{repository.full_name}"

    def page(self, repository: Repository) -> str:
        return f"{self.web}/{repository.full_name}"


def moment(at: float) -> str:
    """GitHub's times have whole seconds."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def user_body(links: Links, user: User) -> Body:
    url = f"{links.api}/users/{quote(user.login)}"
    page = f"{links.web}/{user.login}" if user.type != "Bot" else f"{links.web}/apps/{user.login.removesuffix('[bot]')}"
    return {
        "login": user.login,
        "id": user.id,
        "node_id": f"U_{user.id}",
        "avatar_url": f"{links.web}/avatars/{user.id}",
        "gravatar_id": "",
        "url": url,
        "html_url": page,
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": user.type,
        "site_admin": False,
        "user_view_type": "public",
    }


def own_user_body(links: Links, user: User, at: float) -> Body:
    """GET /user."""
    blank = dict.fromkeys(
        ("company", "blog", "location", "email", "hireable", "bio", "twitter_username", "notification_email")
    )
    counts = dict.fromkeys(
        ("public_repos", "public_gists", "followers", "following", "private_gists", "total_private_repos",
         "owned_private_repos", "disk_usage", "collaborators"), 0,
    )  # fmt: skip
    return {
        **user_body(links, user), **blank, **counts, "name": user.login, "user_view_type": "private",
        "two_factor_authentication": True, "created_at": moment(at), "updated_at": moment(at),
    }  # fmt: skip


def app_body(links: Links, app: App, at: float) -> Body:
    return {
        "id": app.id,
        "slug": app.slug,
        "node_id": f"A_{app.id}",
        "client_id": f"Iv1.{app.id:016x}",
        "owner": user_body(links, User("github", 9919, "Organization")),
        "name": app.name,
        "description": None,
        "external_url": f"{links.web}/features/actions",
        "html_url": f"{links.web}/apps/{app.slug}",
        "created_at": moment(at),
        "updated_at": moment(at),
        "permissions": {"checks": "write", "contents": "read", "metadata": "read"},
        "events": [],
    }


MINIMAL = [
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
]


def minimal_repository_body(links: Links, repository: Repository) -> Body:
    url = links.repository(repository)
    body = {f"{name}_url": f"{url}/{name.replace('_', '/')}" for name in MINIMAL}
    body["commits_url"] += "{/sha}"
    body["contents_url"] = f"{url}/contents/{{+path}}"
    body["statuses_url"] = f"{url}/statuses/{{sha}}"
    return {
        **body,
        "id": repository.id,
        "node_id": f"R_{repository.id}",
        "name": repository.name,
        "full_name": repository.full_name,
        "owner": user_body(links, repository.owner),
        "private": repository.private,
        "html_url": links.page(repository),
        "description": None,
        "fork": repository.parent is not None,
        "url": url,
    }


def repository_body(links: Links, repository: Repository) -> Body:
    page = links.page(repository)
    counts = dict.fromkeys(
        [
            "forks",
            "forks_count",
            "open_issues",
            "open_issues_count",
            "size",
            "stargazers_count",
            "watchers",
            "watchers_count",
        ],
        0,
    )
    yes = dict.fromkeys(["has_issues", "has_projects", "has_wiki", "has_downloads"], True)
    no = dict.fromkeys(["has_pages", "has_discussions", "archived", "disabled"], False)
    none = dict.fromkeys(["homepage", "language", "mirror_url", "license"], None)
    when = dict.fromkeys(["pushed_at", "created_at", "updated_at"], moment(repository.created_at))
    return {
        **minimal_repository_body(links, repository), **counts, **yes, **no, **none, **when,
        "clone_url": f"{page}.git",
        "git_url": page.replace("https:", "git:").replace("http:", "git:") + ".git",
        "ssh_url": f"git@github.com:{repository.full_name}.git",
        "svn_url": page,
        "default_branch": repository.default_branch,
        "visibility": "private" if repository.private else "public",
    }  # fmt: skip


def full_repository_body(links: Links, repository: Repository, role: str | None) -> Body:
    body = {**repository_body(links, repository), "network_count": 0, "subscribers_count": 0}
    if repository.parent is not None:
        body["parent"] = body["source"] = repository_body(links, repository.parent)
    if role is not None:
        body["permissions"] = role_flags(role)
    return body


def role_flags(role: str) -> dict[str, bool]:
    names = {"read": "pull", "triage": "triage", "write": "push", "maintain": "maintain", "admin": "admin"}
    rank = ROLES.index(role) if role in ROLES else -1
    return {names[name]: index <= rank for index, name in enumerate(ROLES)}


def association(repository: Repository, user: User) -> str:
    if user.login == repository.owner.login:
        return "OWNER"
    return "COLLABORATOR" if user.login in repository.collaborators else "NONE"


def comment_body(links: Links, repository: Repository, comment: Comment) -> Body:
    url = f"{links.repository(repository)}/issues/comments/{comment.id}"
    kind = "pull" if repository.pulls[comment.number].is_pull else "issues"
    return {
        "id": comment.id,
        "node_id": f"IC_{comment.id}",
        "url": url,
        "html_url": f"{links.page(repository)}/{kind}/{comment.number}#issuecomment-{comment.id}",
        "issue_url": f"{links.repository(repository)}/issues/{comment.number}",
        "body": comment.body,
        "user": user_body(links, comment.user),
        "created_at": moment(comment.created_at),
        "updated_at": moment(comment.updated_at),
        "author_association": association(repository, comment.user),
        "performed_via_github_app": app_body(links, comment.app, repository.created_at) if comment.app else None,
        "reactions": reactions(url),
        "minimized": {"reason": comment.minimized} if comment.minimized else None,
    }


def reactions(url: str) -> Body:
    names = ("total_count", "+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
    return {"url": f"{url}/reactions", **dict.fromkeys(names, 0)}


def label_bodies(links: Links, repository: Repository, names: list[str]) -> list[Body]:
    return [
        {
            "id": repository.id * 1000 + index, "node_id": f"LA_{index}", "url": f"{links.repository(repository)}/labels/{quote(name)}",
            "name": name, "description": "", "color": "ededed", "default": False,
        }
        for index, name in enumerate(names)
    ]  # fmt: skip


def pull_body(links: Links, repository: Repository, pull: Pull) -> Body:
    """A pull request as in a list."""
    url, page = f"{links.repository(repository)}/pulls/{pull.number}", f"{links.page(repository)}/pull/{pull.number}"
    issue = f"{links.repository(repository)}/issues/{pull.number}"
    urls = {
        "comments": f"{issue}/comments",
        "commits": f"{url}/commits",
        "statuses": f"{links.repository(repository)}/statuses/{pull.head_sha}",
        "review_comments": f"{url}/comments",
        "review_comment": f"{links.repository(repository)}/pulls/comments{{/number}}",
    }
    home = pull.head_repository
    head = {
        "label": f"{home.owner.login if home else pull.user.login}:{pull.head_ref}",
        "ref": pull.head_ref,
        "sha": pull.head_sha,
        "user": user_body(links, home.owner if home else pull.user),
        "repo": repository_body(links, home) if home else None,
    }
    base = {
        "label": f"{repository.owner.login}:{pull.base_ref}",
        "ref": pull.base_ref,
        "sha": pull.base_sha,
        "user": user_body(links, repository.owner),
        "repo": repository_body(links, repository),
    }
    return {
        **{f"{name}_url": value for name, value in urls.items()},
        "url": url,
        "id": pull.id,
        "node_id": f"PR_{pull.id}",
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue,
        "number": pull.number,
        "state": pull.state,
        "locked": pull.locked,
        "title": pull.title,
        "user": user_body(links, pull.user),
        "body": pull.body,
        "labels": label_bodies(links, repository, pull.labels),
        "milestone": None,
        "created_at": moment(pull.created_at),
        "updated_at": moment(pull.updated_at),
        "closed_at": None if pull.state == "open" else moment(pull.updated_at),
        "merged_at": moment(pull.updated_at) if pull.merged else None,
        "merge_commit_sha": pull.merge_commit_sha,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "head": head,
        "base": base,
        "_links": {
            **{name: {"href": value} for name, value in urls.items()},
            "self": {"href": url},
            "html": {"href": page},
            "issue": {"href": issue},
        },
        "author_association": association(repository, pull.user),
        "auto_merge": None,
        "draft": pull.draft,
    }


def full_pull_body(links: Links, repository: Repository, pull: Pull) -> Body:
    """A pull request asked for by its number."""
    return {
        **pull_body(links, repository, pull),
        "merged": pull.merged,
        "mergeable": pull.mergeable,
        "rebaseable": pull.mergeable,
        "mergeable_state": {True: "clean", False: "dirty", None: "unknown"}[pull.mergeable],
        "merged_by": None,
        "comments": sum(comment.number == pull.number for comment in repository.comments.values()),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": 1,
        "additions": sum(file.additions for file in pull.files),
        "deletions": sum(file.deletions for file in pull.files),
        "changed_files": len(pull.files),
    }
