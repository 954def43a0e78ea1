"""What the stand-in gives for nothing: moderation, token counts, and a look at responses that it keeps."""

from typing import Any

from aiohttp import web


async def moderate(request: web.Request) -> web.Response:
    await request.json()
    if request.headers.get("Authorization", "").endswith("wrong"):
        return web.json_response({"error": {"message": "no such key", "type": "invalid_request_error"}}, status=401)
    return web.json_response({"id": "modr-1", "results": [{"flagged": False}]})


async def count_tokens(request: web.Request) -> web.Response:
    await request.json()
    return web.json_response({"input_tokens": 7})


async def response(request: web.Request) -> web.Response:
    return web.json_response({"id": request.match_info["name"], "object": "response", "status": "completed"})


async def cancel(request: web.Request) -> web.Response:
    return web.json_response({"id": request.match_info["name"], "object": "response", "status": "cancelled"})


def queued(answered: dict[str, Any]) -> dict[str, Any]:
    """A response that is made in the background, as it is answered at once."""
    return answered | {"status": "queued", "output": [], "usage": None}


def mount(router: web.UrlDispatcher) -> None:
    """Add it all."""
    router.add_post("/v1/moderations", moderate)
    router.add_post("/v1/messages/count_tokens", count_tokens)
    router.add_get("/v1/responses/{name}", response)
    router.add_post("/v1/responses/{name}/cancel", cancel)
