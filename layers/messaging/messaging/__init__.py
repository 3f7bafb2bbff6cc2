"""Messages in one DynamoDB table: what every function of the API and the stream shares.

Imports point one way: ``bodies, paging, stream → message_groups, marks, moves → membership →
repository → entities → keys``.
"""
