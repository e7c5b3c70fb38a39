#!/usr/bin/python3
"""A tap on the wire: tap.py LISTEN-PORT TARGET-PORT FILE

Passes TCP connections to 127.0.0.1:LISTEN-PORT on to 127.0.0.1:TARGET-PORT and writes
every byte, of both directions, to FILE.  Ends, FIN and RST, are passed on as they come.
Prints "ready" once it listens.
"""

import asyncio
import socket
import struct
import sys

# With this a close() sends RST.
LINGER_RST = struct.pack("ii", 1, 0)


async def relay(reader, writer, other, wire):
    """One direction; @other is the connection that writes to @reader's end."""
    try:
        while data := await reader.read(65536):
            wire.write(data)
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        for end in (writer, other):
            sock = end.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RST)
            end.transport.abort()


async def main():
    listen_port, target_port = int(sys.argv[1]), int(sys.argv[2])
    with open(sys.argv[3], "ab", buffering=0) as wire:

        async def accept(reader, writer):
            try:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target_port)
            except OSError:
                writer.transport.abort()
                return
            await asyncio.gather(
                relay(reader, far_writer, writer, wire), relay(far_reader, writer, far_writer, wire))
            writer.close()
            far_writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", listen_port)
        print("ready", flush=True)
        async with server:
            await server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
