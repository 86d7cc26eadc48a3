"""A sandbox as the notebook holds it: made by the agent, used by its first process.

In come types, limits and commands; out come output, values and errors.  `sandbox` has `Sandbox`,
`runner` what it can run, `process` what runs, `agent_client` the way to the agent.
"""
