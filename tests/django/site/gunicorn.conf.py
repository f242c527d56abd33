"""Settings of gunicorn, except for the socket. It ignores settings that its version does not have."""

workers = 2
threads = 4
worker_class = "gthread"
keepalive = 60  # keeps connections open if a busy machine delays a client
loglevel = "warning"  # a run without errors prints nothing
control_socket_disable = True  # it would be in the home directory
