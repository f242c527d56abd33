"""Task backends that need no server."""

import json
import os


class File:
    """Writes each message to a file, as a line, for another process to read."""

    def prepare(self, options):
        pass

    def enqueue(self, message, prepared):
        with open(f"{os.environ['FOLDER']}/messages", "a") as file:
            file.write(json.dumps(message) + "\n")


class Later:
    """Keeps the messages that a worker sends while it runs others."""

    messages = []  # noqa: RUF012  # that of the process

    def prepare(self, options):
        pass

    def enqueue(self, message, prepared):
        self.messages.append(message)
