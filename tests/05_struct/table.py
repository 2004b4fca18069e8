#!/usr/bin/env python3
"""What Python's `struct` says: the table that the checks of lab 5 go by, and answers to questions.

    table.py > table.txt     makes the table
    table.py --answer        answers lines of standard input, one each: FMT, then the values, between tabs

A row of the table has its fields between tabs, and `\\xNN` for what is not printable ASCII:

    pack    FMT SIZE HEX TUPLE VALUE...  the size; the bytes of these values; how `unpack` prints them
    unpack  FMT HEX TUPLE                bytes that no `pack` makes
    size    FMT SIZE
    refuse  FMT VALUE...                 values that Python does not take for this format
    nosize  FMT                          a format that it does not take at all
"""

import itertools
import platform
import re
import struct
import sys

PREFIXES = ["", "@", "=", "<", ">", "!"]
INTEGERS = "bBhHiIlLqQ"
CODES = "xcbB?hHiIlLqQfds"


def escape(data):
    """`data` for a field of the table."""
    return "".join(chr(b) if 0x20 <= b < 0x7F and b != 0x5C else f"\\x{b:02x}" for b in data)


def shown_bytes(data):
    """As Rust's `escape_ascii` does it."""
    special = {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r", 0x22: '\\"', 0x27: "\\'", 0x5C: "\\\\"}
    plain = lambda b: chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02x}"
    return '"' + "".join(special.get(b) or plain(b) for b in data) + '"'


def shown_float(number, single):
    """As Rust's `{:?}` does it: the fewest digits that stand for this number, and an exponent without `+` and zeros."""
    if number != number:
        return "NaN"
    if single:
        number = next(
            near
            for digits in range(1, 18)
            for near in [float(f"{number:.{digits}g}")]
            if abs(near) == float("inf") or as_single(near) == number
        )
    return re.sub(r"e([+-]?)[+0]*(\d)", lambda e: "e" + e[1].replace("+", "") + e[2], repr(number))


def as_single(number):
    return struct.unpack("@f", struct.pack("@f", number))[0]


def codes_of(fmt):
    """The code of each value of a format."""
    for count, code in re.findall(r"(\d*)([a-zA-Z?])", fmt):
        if code == "s":
            yield code
        elif code != "x":
            yield from code * int(count or 1)


def shown(fmt, values):
    """As `unpack` prints them."""
    shows = {"s": shown_bytes, "c": shown_bytes, "?": lambda b: str(b).lower()}
    shows |= {"f": lambda x: shown_float(x, True), "d": lambda x: shown_float(x, False)}
    return "(" + ", ".join(shows.get(code, str)(v) for code, v in zip(codes_of(fmt), values)) + ")"


def value(code, text):
    """What an argument of the program stands for."""
    if code in "sc":
        return text
    if code == "?":
        return {b"true": True, b"false": False}[text]
    return float(text) if code in "fd" else int(text)


def packed(fmt, texts):
    struct.calcsize(fmt)  # what is too large is refused here, before anything so long is made
    codes = list(codes_of(fmt))
    if len(codes) != len(texts):
        raise struct.error("another number of values")
    return struct.pack(fmt, *map(value, codes, texts))


def row(kind, fmt, *rest):
    print(kind, escape(fmt.encode()), *rest, sep="\t")


def pack(fmt, *texts):
    texts = [text.encode() if isinstance(text, str) else text for text in texts]
    data = packed(fmt, texts)
    tuple_ = shown(fmt, struct.unpack(fmt, data))
    row("pack", fmt, struct.calcsize(fmt), data.hex(), escape(tuple_.encode()), *map(escape, texts))


def unpack(fmt, data):
    row("unpack", fmt, data.hex(), escape(shown(fmt, struct.unpack(fmt, data)).encode()))


def refuse(fmt, *texts):
    texts = [text.encode() if isinstance(text, str) else text for text in texts]
    try:
        struct.calcsize(fmt)
    except (struct.error, ValueError):
        row("nosize", fmt)
    try:
        packed(fmt, texts)
    except (struct.error, OverflowError, ValueError, KeyError):
        return row("refuse", fmt, *map(escape, texts))
    raise SystemExit(f"Python takes {fmt!r} with {texts}")


SAMPLES = {"c": "z", "?": "true", "f": "-1.5", "d": "3.25", "s": "q", "b": "-2", "B": "200", "h": "-300"}
SAMPLES |= {"H": "60000", "i": "-70000", "I": "4000000000", "l": "-5", "L": "77", "q": "-6", "Q": "1234567890123"}


def examples():
    """The contract's own, and what is peculiar to `struct`."""
    pack("i5sf", "1", "zhang", "1.75")
    pack("llh0l", "1", "2", "3")
    pack("llh", "1", "2", "3")
    pack("0i")
    pack("c0i", "a")
    pack("c0ic", "a", "b")
    pack("0s", "")
    pack("0s", "gone")
    pack("0c")
    pack("0x")
    pack("")
    pack("x")
    pack("3x")
    pack("3xi", "9")
    pack("b3xi", "1", "9")
    pack("5s", "ab")
    pack("2s", "abcdef")
    pack("3s0s1s", "abc", "x", "yz")
    pack("10s", "tab\tquote'\"\\")
    pack("4s", b"\xff\xfe\x80\x7f")
    pack("c", b"\xe9")
    pack("3c", "a", "b", "c")
    pack("12s", "-starts so")
    pack("2h3B", "1", "-2", "3", "4", "5")
    pack("03i", "1", "2", "3")
    pack("1i001h", "1", "2")
    pack(" i  h\t?\n", "1", "2", "false")
    pack("i\x0b\x0c\r h", "1", "2")
    pack("3?", "true", "false", "true")
    for texts in ["00012", "-0", "-007"]:
        pack("i", texts)
    for data in [b"\2", b"\x80", b"\xff", b"\0"]:
        unpack("?", data)
    unpack("i?h", b"\1\0\0\0\7\xff\2\0")
    unpack("b3xb", b"\1\7\7\7\2")
    unpack("6s", b"a\0b\0\r\n")
    for fmt in ["9223372036854775807x", "9223372036854775807s", "2305843009213693951i", "1000000000000q"]:
        row("size", fmt, struct.calcsize(fmt))


def neighbours(prefixes):
    """Every code next to every other."""
    for prefix, (a, b) in itertools.product(prefixes, itertools.product(CODES, CODES)):
        if prefix == "" or a < b:
            pack(prefix + a + b, *(SAMPLES[code] for code in a + b if code != "x"))


def counted():
    for prefix, code in itertools.product(PREFIXES, CODES):
        values = {"x": [], "s": [SAMPLES["s"]]}.get(code, [SAMPLES.get(code)] * 3)
        pack(f"{prefix}b3{code}", "1", *values)


def limits():
    for prefix, code in itertools.product(PREFIXES, INTEGERS):
        bits = 8 * struct.calcsize(prefix + code)
        low, high = (0, 2**bits - 1) if code.isupper() else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        pack(prefix + 3 * code, str(low), str(high), str(high // 3))
        refuse(prefix + code, str(low - 1))
        refuse(prefix + code, str(high + 1))


def floats():
    singles = ["0", "-0", "0.1", "1e16", "123456789", "1e-5", "0.0001", "1.17549435e-38", "1e-45", "3.4028235e38", "16777217"]
    singles += ["1.00000017881393432617187499", "inf", "-inf", "nan", "1e-46", "-2.5e-3"]
    doubles = ["0.1", "1e16", "1e15", "1e-5", "0.0001", "5e-324", "1.7976931348623157e308", "123456789.125", "-inf", "nan"]
    for prefix in ["", "<", ">"]:
        for text in singles:
            pack(prefix + "f", text)
        for text in doubles:
            pack(prefix + "d", text)
    for prefix in ["", "@"]:
        pack(prefix + "f", "1e39")
        pack(prefix + "f", "-3.4028235677973366e38")
    for prefix in "=<>!":
        pack(prefix + "f", "3.4028235677973362e38")
        for text in ["1e39", "-1e39", "3.4028235677973366e38"]:
            refuse(prefix + "f", text)


def wrong():
    for fmt in ["z", "%", "5", "i5", "3 i", " <i", "<>i", "i<", "-1i", "+1i", "\u00e9", "i\x1ci", "i,i", "1.5i", "X", "S", "2"]:
        refuse(fmt, "1")
    huge = ["9223372036854775808x", "9223372036854775807xi", "9223372036854775807x0i", "9223372036854775807xx"]
    huge += ["99999999999999999999x", "18446744073709551617x", "2305843009213693952i", "4611686018427387905i", "9223372036854775807sc"]
    huge += ["36893488147419103233b", "99999999999999999999s"]
    for fmt in huge:
        refuse(fmt)
    for fmt, texts in [("i", []), ("i", ["1", "2"]), ("x", ["1"]), ("0i", ["1"]), ("3c", ["a", "b"]), ("2s", []), ("", ["1"])]:
        refuse(fmt, *texts)
    for code in "ihbBQ":
        for text in ["", "x", "1x", "0x10", "1.0", "1e3", "--1", "-", "true", b"\xff", "1 2"]:
            refuse(code, text)
    for code in "fd":
        for text in ["", "x", "1,5", "0x10", "1e", "-", "true", b"\xff", "1.5.5"]:
            refuse(code, text)
    for text in ["", "1", "True", "yes", "TRUE", "truE", b"\xff", "falsee"]:
        refuse("?", text)
    for text in ["", "ab", b"\xc3\xa9"]:
        refuse("c", text)
    for code in "iQq":
        refuse(code, "1" + 45 * "0")
        refuse(code, "-1" + 45 * "0")


def unescape(field):
    return re.sub(rb"\\x(..)", lambda m: bytes([int(m[1], 16)]), field)


def answer():
    """For each line the size and the bytes, or a minus sign."""
    for line in sys.stdin.buffer:
        fmt, *texts = map(unescape, line.rstrip(b"\n").split(b"\t"))
        fmt = fmt.decode("latin-1")
        try:
            print(struct.calcsize(fmt), packed(fmt, texts).hex(), flush=True)
        except (struct.error, OverflowError, ValueError, KeyError):
            print("-", flush=True)


def table():
    if sys.byteorder != "little" or struct.calcsize("l") != 8:
        raise SystemExit("made on a 64-bit little-endian machine only: the table has its native sizes")
    print(f"# Made by tests/05_struct/table.py with Python {platform.python_version()}, {platform.machine()}. Do not edit.")
    examples()
    neighbours([""])
    counted()
    limits()
    floats()
    wrong()


if __name__ == "__main__":
    answer() if sys.argv[1:] == ["--answer"] else table()
