"""E: the message-group rows follow the messages.

Triggered by the table's stream, new messages only. For each message group in a batch one Query
on the index and one TransactWriteItems, when its rows have to move.
"""

import time
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from messaging import repository, stream
from messaging.deadline import deadline

# What a move under way may still take, and the answer after it.
MARGIN_SECONDS = 1

metrics = Metrics()


@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer with the records that are to be delivered again."""
    deadline.start(context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS)
    report = stream.update_message_groups(
        event["Records"],
        repository.of_environment(),
        sleep=time.sleep,
        seconds_left=deadline.seconds_left,
        now=lambda: datetime.now(UTC),
    )
    for name, number in report.counts().items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)
    for lag in report.lags_ms:
        metrics.add_metric(name="GroupLag", unit=MetricUnit.Milliseconds, value=lag)
    return {"batchItemFailures": [{"itemIdentifier": number} for number in report.failed]}
