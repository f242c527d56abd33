"""What gunicorn needs beside the socket; it ignores the names that its version does not have."""

workers = 2
threads = 4
worker_class = "gthread"
keepalive = 60  # no server hangs up on a client that a busy machine lets wait
loglevel = "warning"  # so that a run without trouble says nothing at all
control_socket_disable = True  # it would be in the home directory
