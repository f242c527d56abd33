"""The project that test_servers.py runs on real servers: sessions and login on SQLite."""
