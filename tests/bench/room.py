"""The smallest honest chat room over UDP in Python: what forkroom's is compared with by `just bench chat`.

It speaks the protocol of lab 7. What it lacks: it neither gives reasons nor notices who is gone.
"""

import socket
import sys
import unicodedata

LONGEST = 1024
RECEIVE = 4 * 1024 * 1024


def clean(text):
    """A text without control characters, such as the newline that would forge another's line."""
    return text if text.isprintable() else "".join("?" if unicodedata.category(c) == "Cc" else c for c in text)


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    room = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    room.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE)
    room.bind((host, int(port)))
    print("chat room on {}:{}".format(*room.getsockname()), flush=True)
    members = {}

    def tell(but, text):
        message = text.encode()
        for peer in members:
            if peer != but:
                room.sendto(message, peer)

    while True:
        message, peer = room.recvfrom(LONGEST + 1)
        try:
            kind, name, *text = message.decode().split(" ", 2)
        except ValueError:
            continue
        if kind == "L" and peer not in members and 1 <= len(name.encode()) <= 32 and name not in members.values():
            room.sendto(b"OK", peer)
            tell(peer, f"{name} entered the chat room")
            members[peer] = name
        elif members.get(peer) != name:
            continue
        elif kind == "C" and text:
            tell(peer, f"{name}: {clean(text[0])}")
        elif kind == "Q":
            room.sendto(b"EXIT", peer)
            del members[peer]
            tell(peer, f"{name} left the chat room")


main()
