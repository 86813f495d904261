"""Plays the story with a Python client: `python client.py mcp-1|mcp-2|fastmcp URL`.

Writes one JSON line a step. Writes "kill" when the server is to be killed, and reads a line when
that is done.
"""

import asyncio
import json
import sys
import time
from contextlib import asynccontextmanager

FLAVOUR, URL = sys.argv[1:3]
BOOK = {"chapters": 10, "delayMs": 100}


def step(name: str, ok: bool, note: str = "") -> None:
    print(json.dumps({"step": name, "ok": ok, "note": note}), flush=True)


def text_of(result) -> str:
    return "\n".join(item.text for item in result.content)


@asynccontextmanager
async def connect():
    """Yields `call(name, arguments, on_progress)`, which returns the text of the answer."""
    if FLAVOUR == "mcp-1":
        from mcp import ClientSession, types
        from mcp.client.streamable_http import streamable_http_client

        async def accept(_context, _params):
            return types.ElicitResult(action="accept", content={"sure": True})

        async with streamable_http_client(URL) as (read, write, _):
            async with ClientSession(read, write, elicitation_callback=accept) as session:
                await session.initialize()

                async def call(name, arguments, on_progress=None):
                    return text_of(await session.call_tool(name, arguments, progress_callback=on_progress))

                yield call
    elif FLAVOUR == "mcp-2":
        from mcp import Client
        from mcp import types

        async def accept(_context, _params):
            return types.ElicitResult(action="accept", content={"sure": True})

        async with Client(URL, elicitation_callback=accept) as client:

            async def call(name, arguments, on_progress=None):
                return text_of(await client.call_tool(name, arguments, progress_callback=on_progress))

            yield call
    else:
        from fastmcp import Client

        async def accept(_message, response_type, _params, _context):
            return response_type(sure=True)

        async with Client(URL, elicitation_handler=accept) as client:

            async def call(name, arguments, on_progress=None):
                return text_of(await client.call_tool(name, arguments, progress_handler=on_progress))

            yield call


async def main() -> None:
    async with connect() as call:
        step("initialize", True)
        step("call", await call("add_note", {"text": "buy milk"}) == "1 note")

        chapters: list[int] = []

        async def on_progress(progress, _total, _message):
            chapters.append(int(progress))

        await call("read_book", {"chapters": 3, "delayMs": 50}, on_progress)
        step("progress", chapters == [1, 2, 3], f"{chapters}")

        answer = await asyncio.wait_for(call("clear_notes", {}), 10)
        step("elicitation", answer == "The notes were removed", answer)
        await call("add_note", {"text": "call Ada"})

        seen: list[int] = []
        third = asyncio.Event()

        async def on_chapter(progress, _total, _message):
            seen.append(int(progress))
            if progress == 3:
                third.set()

        running = asyncio.create_task(call("read_book", BOOK, on_chapter))
        await asyncio.wait_for(third.wait(), 10)
        print("kill", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        began = time.monotonic()
        try:
            outcome = await asyncio.wait_for(running, 40)
        except Exception as error:
            outcome = f"{error}" or type(error).__name__
        took = time.monotonic() - began
        step("kill -9 and resume", "was interrupted" in outcome, f"{outcome} after {took:.1f} s, chapters {seen}")

        rest: list[int] = []

        async def on_rest(progress, _total, _message):
            rest.append(int(progress))

        await asyncio.wait_for(call("read_book", BOOK, on_rest), 20)
        step("the call goes on", rest[-1:] == [10] and rest[0] in (len(seen), len(seen) + 1), f"{rest}")
        step("state", await call("list_notes", {}) == "call Ada")
        step("elicitation after the kill", await asyncio.wait_for(call("clear_notes", {}), 10) == "The notes were removed")


asyncio.run(main())
