"""The project that test_servers.py puts behind real servers: sessions and login on SQLite."""
