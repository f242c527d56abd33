"""Packages whose wrapper of ``Signal._live_receivers`` csignals knows, so that sends need not ask it."""
