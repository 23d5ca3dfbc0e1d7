"""Answers under load, in the way that the commit's files say."""
import asyncio
import pathlib
import time
import weakref

import asyncpg
from aiohttp import WSCloseCode, WSMsgType, web

from database import settings

# How long open requests may take to end after the order to stop, in seconds.
PATIENCE = 25
CHUNK, CHUNKS = 4096, 50

VERSION, BEHAVIOUR = (pathlib.Path(name).read_text(encoding="utf-8").strip() for name in ("VERSION", "behaviour"))

routes = web.RouteTableDef()
POOL = web.AppKey("pool", asyncpg.Pool)
SOCKETS = web.AppKey("sockets", weakref.WeakSet)
ASKED = web.AppKey("asked", dict)
SMUGGLED = web.AppKey("smuggled", list)


@routes.get("/")
@routes.get("/work")
async def work(request):
    request.app[ASKED]["times"] += 1
    await asyncio.sleep(int(request.query.get("ms", "0")) / 1000)
    return web.Response(text=VERSION)


@routes.get("/healthz")
async def health(request):
    # Well until people come.
    if BEHAVIOUR == "sick-after" and request.app[ASKED]["times"] > 20:
        return web.Response(status=503, text="sick")
    if BEHAVIOUR == "never-healthy":
        return web.Response(status=503, text="never healthy")
    await request.app[POOL].fetchval("SELECT 1", timeout=2)
    return web.Response(text="ok")


@routes.get("/count")
async def count(request):
    return web.json_response({"count": await request.app[POOL].fetchval("SELECT count(*) FROM counted")})


@routes.get("/ids")
async def ids(request):
    return web.json_response([row["id"] for row in await request.app[POOL].fetch("SELECT id FROM counted")])


@routes.post("/count")
async def add(request):
    row = await request.app[POOL].fetchval("INSERT INTO counted DEFAULT VALUES RETURNING id")
    return web.json_response({"id": row}, status=201)


@routes.get("/download")
async def download(request):
    pause = float(request.query.get("seconds", "5")) / CHUNKS
    response = web.StreamResponse(headers={"Content-Length": str(CHUNK * CHUNKS), "X-Version": VERSION})
    await response.prepare(request)
    for _ in range(CHUNKS):
        await response.write(b"x" * CHUNK)
        await asyncio.sleep(pause)
    return response


@routes.post("/echo")
@routes.get("/echo")
async def reflect(request):
    body = await request.text()
    return web.json_response({"method": request.method, "path": request.raw_path, "headers": {name.lower(): value for name, value in request.headers.items()}, "body": body})


@routes.get("/headers")
async def headers(request):
    # What of the answer's headers is asked for: NAME=VALUE, or NAME=*KIB for one that is large.
    answer = web.Response(text="headers")
    for name, value in request.query.items():
        answer.headers[name] = "x" * (int(value[1:]) << 10) if value.startswith("*") else value
    return answer


@routes.get("/seen")
async def seen(request):
    paths = list(request.app[SMUGGLED])
    if "forget" in request.query:
        request.app[SMUGGLED].clear()
    return web.json_response(paths)


@routes.get("/ws")
async def echo(request):
    socket = web.WebSocketResponse(heartbeat=20)
    await socket.prepare(request)
    request.app[SOCKETS].add(socket)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


@web.middleware
async def behave(request, handler):
    # What should not have come here.
    if request.raw_path.startswith("/smuggled"):
        request.app[SMUGGLED].append(request.raw_path)
    # Asked directly it is well; whoever comes through the edge gets an error.
    if BEHAVIOUR == "broken-after" and request.headers.get("X-Real-IP"):
        return web.Response(status=500, text="broken")
    response = await handler(request)
    if not response.prepared:
        response.headers["X-Version"] = VERSION
    return response


async def connect(app):
    app[POOL] = await asyncpg.create_pool(min_size=2, max_size=8, command_timeout=10, **settings())
    yield
    await app[POOL].close()


async def close_sockets(app):
    for socket in list(app[SOCKETS]):
        await socket.close(code=WSCloseCode.GOING_AWAY, message=b"The server stops")


def main():
    if BEHAVIOUR == "crash":
        time.sleep(0.5)
        raise SystemExit("this version was made to crash")
    time.sleep(float(pathlib.Path("start").read_text(encoding="utf-8")))
    app = web.Application(middlewares=[behave])
    app[SOCKETS] = weakref.WeakSet()
    app[ASKED] = {"times": 0}
    app[SMUGGLED] = []
    app.add_routes(routes)
    app.cleanup_ctx.append(connect)
    app.on_shutdown.append(close_sockets)
    web.run_app(app, port=8000, shutdown_timeout=PATIENCE, print=None, access_log=None)


main()
