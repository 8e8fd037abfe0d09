"""Python's `websockets` as somebody on the simple protocol: websockets_client.py URL OPTIONS TEXT…

Joins the kitchen, says each text, and prints as JSON what was agreed on and what it heard said.
"""

import json
import sys

from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

url, options, *texts = sys.argv[1:]
options = json.loads(options)
offers = None if options is None else [ClientPerMessageDeflateFactory(**options)]

with connect(url, compression=None, extensions=offers) as socket:
    say = lambda **frame: socket.send(json.dumps(frame))
    say(type="join", room="kitchen", username="Dot")
    heard = []
    while len(heard) < len(texts):
        frame = json.loads(socket.recv(timeout=20))
        if frame["type"] == "roster":
            for text in texts:
                say(type="chat", text=text)
        if frame["type"] == "chat":
            heard.append(frame["text"])
    agreed = socket.response.headers.get("Sec-WebSocket-Extensions", "")

print(json.dumps({"agreed": agreed, "heard": heard, "code": socket.close_code}))
