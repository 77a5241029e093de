"""The client `hermes-control-mcp` from the package index, unchanged, as an MCP server of its own.

To renew its lock, edit `hermes-control-mcp.in` and run in this folder
`uv pip compile --generate-hashes --no-emit-index-url --no-emit-find-links --universal
--python-version 3.11 --prerelease=allow hermes-control-mcp.in -o hermes-control-mcp.lock`.
"""
