"""A stateful stand-in for GitHub's REST API: every request and every answer is held against GitHub's own description.

    with running_github() as github:
        repo = github.add_repository("octo/app", collaborators={"ann": "write"})
        pull = repo.add_pull(7, head_sha="a" * 40, base_sha="b" * 40, user="ann", files=["prompts/answer.md"])
        token = github.installation_token({"contents": "read", "pull_requests": "write"})   # a GITHUB_TOKEN
        ...                                     # GITHUB_API_URL=github.url
        assert [comment.body for comment in repo.comments_on(7)] == [...]
        assert github.violations == []          # always assert this

The state is plain objects that a test may read and change: `repo.comments`, `repo.check_runs` (`.fields`,
`.annotations`), `repo.statuses`, `repo.pulls[7].draft = True`. A fork's pull request:
`fork = github.add_repository("mallory/app", parent=repo); repo.add_pull(8, head_repository=fork)`;
`deleted_fork=True` leaves no head repository. `repo.push(7, sha)` moves a head during a run.
`repo.add_comment(7, "text", user="mallory")` plants a comment. `github.requests` is the log.

Tokens: `installation_token(permissions)` (bot, GET /user is 403; lacking permission is 403), `user_token(login)`,
`user_token(login, scopes=())` reads only. A token that is not known is 401.

Faults: `github.fail_next("drop-after", 2, match="/comments", method="POST")`, or a schedule
`github.faults = Faults(seed=3, rate=0.3)`; the kinds are in `faults.KINDS`, which ones happened in `github.faults.met`.

Races: `github.before(function, match=..., method=..., times=...)`, `github.after(...)` and
`github.barrier(20, when="after", match="/comments$", method="GET")`: all twenty have read before any of them goes on.

A breach of the description is answered 599 with the reason and noted in `github.violations`.
As a process: `python -m tests.standin.github --help`.
"""

from tests.standin.github.access import ACTIONS_APP as ACTIONS_APP
from tests.standin.github.access import App as App
from tests.standin.github.faults import KINDS as KINDS
from tests.standin.github.faults import PASSING as PASSING
from tests.standin.github.faults import Faults as Faults
from tests.standin.github.server import running_github as running_github
from tests.standin.github.standin import GitHub as GitHub
from tests.standin.github.standin import Request as Request
from tests.standin.github.state import ChangedFile as ChangedFile
from tests.standin.github.state import Pull as Pull
from tests.standin.github.state import Repository as Repository
