"""The door for models: a server of the Model Context Protocol on standard input and output.

An agent reads its own session and earlier ones through it and, where it is allowed to, adds to its own. `tools` is the
table of what can be asked, `reading` and `writing` do it over the Python API, `quoting` bounds and marks what a model
gets to read, `resources` and `prompts` are the protocol's other two ways in. `server` alone knows the official SDK
(`mcp`, in the extra `[mcp]`), so that all else can be used and tested without it.
"""
