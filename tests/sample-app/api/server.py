"""The notes API."""
import asyncio
import os
import weakref

import asyncpg
from aiohttp import WSCloseCode, WSMsgType, web

from database import settings

LONGEST_NOTE = 500  # characters; the table checks it too
LONGEST_WAIT = 60_000  # milliseconds
DATABASE_TIMEOUT = 2  # seconds
# How long open requests may take to end after the order to stop, in seconds.
PATIENCE = 25

routes = web.RouteTableDef()
POOL = web.AppKey("pool", asyncpg.Pool)
SOCKETS = web.AppKey("sockets", weakref.WeakSet)


def problem(status, text):
    return web.json_response({"problem": text}, status=status)


def as_json(row):
    return {"id": row["id"], "text": row["text"], "created": row["created"].isoformat()}


@routes.get("/api/healthz")
async def health(request):
    async with request.app[POOL].acquire(timeout=DATABASE_TIMEOUT) as connection:
        await connection.fetchval("SELECT 1", timeout=DATABASE_TIMEOUT)
    return web.json_response({"status": "ok"})


@routes.get("/api/version")
async def version(request):
    return web.json_response(
        {"version": os.environ.get("APP_VERSION", ""), "greeting": os.environ.get("GREETING", "Hello")}
    )


@routes.get("/api/notes")
async def read_notes(request):
    rows = await request.app[POOL].fetch("SELECT id, text, created FROM notes ORDER BY created DESC, id DESC LIMIT 100")
    return web.json_response([as_json(row) for row in rows])


@routes.post("/api/notes")
async def write_note(request):
    # A page of another origin cannot send this content type without asking first.
    if request.content_type != "application/json":
        return problem(415, "Send application/json")
    try:
        text = (await request.json())["text"].strip()
        # Postgres keeps neither NUL nor half of a surrogate pair, both of which JSON can name.
        text.encode("utf-8")
    except (ValueError, KeyError, TypeError, AttributeError):
        return problem(400, 'Send {"text": "…"}')
    if not 1 <= len(text) <= LONGEST_NOTE or "\0" in text:
        return problem(422, f"A note has 1 to {LONGEST_NOTE} characters")
    row = await request.app[POOL].fetchrow("INSERT INTO notes (text) VALUES ($1) RETURNING id, text, created", text)
    return web.json_response(as_json(row), status=201)


@routes.get("/api/slow")
async def slow(request):
    try:
        milliseconds = min(max(int(request.query.get("ms", "1000")), 0), LONGEST_WAIT)
    except ValueError:
        return problem(400, "ms is a whole number of milliseconds")
    await asyncio.sleep(milliseconds / 1000)
    return web.json_response({"slept": milliseconds})


@routes.get("/api/ws")
async def echo(request):
    socket = web.WebSocketResponse(heartbeat=20, max_msg_size=64 * 1024)
    await socket.prepare(request)
    request.app[SOCKETS].add(socket)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


@web.middleware
async def say_when_the_database_is_away(request, handler):
    try:
        return await handler(request)
    except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError, OSError, TimeoutError):
        return problem(503, "The database does not answer; try again in a moment.")


async def connect(app):
    app[POOL] = await asyncpg.create_pool(min_size=1, max_size=8, command_timeout=10, **settings())
    yield
    await app[POOL].close()


async def close_sockets(app):
    for socket in list(app[SOCKETS]):
        await socket.close(code=WSCloseCode.GOING_AWAY, message=b"The server stops")


def main():
    app = web.Application(client_max_size=64 * 1024, middlewares=[say_when_the_database_is_away])
    app[SOCKETS] = weakref.WeakSet()
    app.add_routes(routes)
    app.cleanup_ctx.append(connect)
    app.on_shutdown.append(close_sockets)
    web.run_app(app, port=8000, shutdown_timeout=PATIENCE, print=None)


main()
