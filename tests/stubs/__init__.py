"""Our own stand-ins for payment providers: HTTP, with a memory, and with switches for bad days.

The real SDKs run against them through their base addresses.
"""
