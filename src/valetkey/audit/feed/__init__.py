"""An organization's trail as it happens, sent to where its security people look: a webhook, syslog, or an
OpenTelemetry collector.

What is sent is what the trail has: names of events, who, whom, when; never what a call sent or got, which it never had.
"""
