"""E: the message-group rows follow the messages.

Triggered by the table's stream, new messages only. For each message group in a batch one
UpdateItem a member, side by side; the first time in an environment one Query on
``message-group-sk-index`` before them.
"""

from typing import Any

import runtime.environment  # first, so that what is imported after it takes less time

# isort: split
from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from messaging import stream
from runtime.deadline import deadline
from runtime.errors import ForeignEventError

# Time to answer before Lambda kills the function.
MARGIN_SECONDS = 1

metrics = Metrics()
runtime.environment.at_start(stream.of_environment)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer with the records that are to be delivered again."""
    match event:
        case {"Records": [*_]}:
            answer: dict[str, Any] = _update(event, context)
            return answer
    raise ForeignEventError("records of the table's stream")


@metrics.log_metrics
def _update(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    deadline.start(context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS)
    report = stream.of_environment().process(event["Records"])
    for name, number in report.counts().items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)
    for lag in report.lags_ms:
        metrics.add_metric(name="GroupLag", unit=MetricUnit.Milliseconds, value=lag)
    return {"batchItemFailures": [{"itemIdentifier": number} for number in report.failed]}
