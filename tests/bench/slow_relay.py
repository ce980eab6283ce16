"""A relay before a server that keeps back what it carries, both ways. Standard library only."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager


async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter, delay: float) -> None:
    now = asyncio.get_running_loop().time
    kept: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def let_go() -> None:
        while True:
            due, data = await kept.get()
            await asyncio.sleep(due - now())
            if not data:
                return
            sink.write(data)

    releasing = asyncio.create_task(let_go())
    data = b"-"
    while data:
        try:
            data = await source.read(65536)
        except ConnectionError:
            data = b""
        kept.put_nowait((now() + delay, data))
    await releasing
    sink.close()


@contextmanager
def slow_relay(port: int, delay: float) -> Iterator[int]:
    """A port of 127.0.0.1 that leads to `port`; each byte arrives `delay` seconds late."""

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, back, delay), carry(onward, writer, delay))

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(accepted, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
