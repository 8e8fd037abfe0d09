"""The worked session of docs/protocol.md, against a running server; prints what was said.

    pip install websockets
    python3 docs/session.py http://127.0.0.1:3000     # on an empty data directory, so that the names are free
"""

import asyncio
import json
import sys
import urllib.request

from websockets.asyncio.client import connect

SERVER = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000"
WIDTH = 112


def ask(method, path, body, token=None):
    """One HTTP request; its answer."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(SERVER + path, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def show(arrow, frame):
    """Prints a frame as it was sent, broken behind commas."""
    lines = [arrow]
    for piece in frame.replace(",", ",\0").split("\0"):
        if len(lines[-1]) + len(piece) > WIDTH:
            lines.append(" ")
        lines[-1] += (" " if lines[-1] in (arrow, " ") else "") + piece
    print("\n".join(lines))


async def say(socket, **frame):
    text = json.dumps(frame, separators=(",", ":"))
    show("→", text)
    await socket.send(text)


async def hear(socket, *wanted):
    """Reads until each wanted type has come, in any order. Who is connected (`presence`) is not shown."""
    missing = list(wanted)
    while missing:
        frame = await socket.recv()
        heard = json.loads(frame)
        if heard["type"] != "presence":
            show("←", frame)
            if heard["type"] in missing:
                missing.remove(heard["type"])
    return heard


def native(token):
    url = SERVER.replace("http", "ws", 1) + "/ws"
    return connect(url, subprotocols=["roomful.v1"], additional_headers={"Authorization": f"Bearer {token}"})


async def session():
    ana, ben = (ask("POST", "/api/v1/guests", {"name": name, "token": True})["token"] for name in ("Ana", "Ben"))
    ask("POST", "/api/v1/rooms", {"name": "garden", "kind": "open"}, ana)

    print("\n# Ben connects, finds a room, joins it and posts.")
    async with native(ben) as socket:
        await hear(socket, "hello")
        await say(socket, id=1, type="list_rooms")
        garden = next(room["id"] for room in (await hear(socket, "reply"))["ok"]["open"] if room["name"] == "garden")
        await say(socket, id=2, type="join_room", room=garden)
        await hear(socket, "reply", "room_joined")
        await say(socket, id=3, type="post_message", room=garden, text="Hello!", nonce="ben-1")
        await hear(socket, "reply", "message_posted")

    print("\n# Ben's line is gone. Ana posts a message and edits it.")
    posted = ask("POST", f"/api/v1/rooms/{garden}/messages", {"text": "Hi Ben"}, ana)
    ask("PATCH", f"/api/v1/rooms/{garden}/messages/{posted['seq']}", {"text": "Hi Ben!"}, ana)

    print("\n# Ben comes back, resumes, and sends the same post again.")
    async with native(ben) as socket:
        await hear(socket, "hello")
        await say(socket, id=1, type="resume", room=garden, after=3)
        await hear(socket, "reply", "message_posted", "message_edited")
        await say(socket, id=2, type="post_message", room=garden, text="Hello!", nonce="ben-1")
        await hear(socket, "reply")


asyncio.run(session())
