"""A chat client of another make: standard library only, and no better than it has to be."""
import os
import socket
import sys

host, port = sys.argv[1].rsplit(":", 1)
room = (host, int(port))
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def listen():
    while True:
        data, _ = sock.recvfrom(1024)
        text = data.decode()
        if text == "EXIT":
            return
        print(text, flush=True)


def login():
    while True:
        name = input()
        sock.sendto(f"L {name}".encode(), room)
        answer, _ = sock.recvfrom(1024)
        if answer.decode() == "OK":
            return name
        print("no:", answer.decode(), flush=True)


name = login()
print("in as", name, flush=True)
child = os.fork()
if child == 0:
    listen()
    os._exit(0)
for line in sys.stdin:
    line = line.rstrip("\n")
    if line == "quit":
        break
    sock.sendto(f"C {name} {line}".encode(), room)
sock.sendto(f"Q {name}".encode(), room)
os.waitpid(child, 0)
