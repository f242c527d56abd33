"""Packages that wrap ``Signal._live_receivers`` in a way that csignals knows: sends need not call the wrapper.

Each module recognises the wrapper of one package, and does its work in a send.
"""
