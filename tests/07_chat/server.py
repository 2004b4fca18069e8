"""A chat server of another make: what it says itself it says in its own language, with a newline in front."""
import socket

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 0))
print(sock.getsockname()[1], flush=True)
members = {}


def tell(text, leave_out=None):
    for name, address in members.items():
        if name != leave_out:
            sock.sendto(text.encode(), address)


while True:
    data, sender = sock.recvfrom(1024)
    kind, name, *rest = data.decode().split(" ", 2)
    if kind == "L" and name in members:
        sock.sendto("\nname schon vergeben\n".encode(), sender)
    elif kind == "L":
        tell(f"\n{name} ist da\n")
        members[name] = sender
        sock.sendto(b"OK", sender)
    elif kind == "C":
        tell(f"{name}: {rest[0]}", leave_out=name)
    elif kind == "Q":
        members.pop(name, None)
        sock.sendto(b"EXIT", sender)
        tell(f"\n{name} ist gegangen\n")
