"""Receivers that receiver_zoo.py compiles with Cython and with Nuitka. Do not import this module uncompiled."""


def function(**named):
    return "function"


def outer():
    def local(**named):
        return "local"

    return local


class Listener:
    def hear(self, **named):
        return "hear"

    @classmethod
    def hear_all(cls, **named):
        return "hear_all"

    @staticmethod
    def overhear(**named):
        return "overhear"

    def __call__(self, **named):
        return "called"


class Made:
    def __init__(self, **named):
        pass


async def awaited(**named):
    return "awaited"


def names(x, **named):
    heard.append(x)


heard = []
