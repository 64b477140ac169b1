"""MongoDB's wire protocol in front of DocumentDB, the second MongoDB engine that the
tests run on.

`chroot` installs the engine, `engine` runs it, and the other modules are the gateway to
it.
"""
