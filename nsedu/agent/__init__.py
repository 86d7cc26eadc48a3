"""Our processes on the other side: the agent, and the first process of each sandbox.

In come requests on a socket, out come the messages of `protocol` and processes in new namespaces.
Standard library only, without `typing`, for each fork pays for what is loaded: see `main`, "Light".
Nothing is imported here, for the same reason.
"""
