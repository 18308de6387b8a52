"""An application load balancer's data path: one process a sandbox, which the control plane tells what to do over a channel.

It stands alone: it imports nothing but the standard library, uvloop and two small modules beside it, so that it starts in no time.
"""
