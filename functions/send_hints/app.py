"""Tell connected clients what has changed.

Triggered by the table's stream, changes of message group rows only. For each user to be told, one
Query of their connections; for how far somebody has read, one BatchGetItem of both settings.
"""

from typing import Any

import runtime.environment  # first, so that what is imported after it takes less time

# isort: split
from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from messaging import hints
from runtime.deadline import deadline
from runtime.errors import ForeignEventError

# Time to answer before Lambda kills the function.
MARGIN_SECONDS = 1

metrics = Metrics()
runtime.environment.at_start(hints.of_environment)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Send the hints; a batch that fails is delivered once more, and then dropped."""
    match event:
        case {"Records": [*_]}:
            _send(event, context)
        case _:
            raise ForeignEventError("records of the table's stream")


@metrics.log_metrics
def _send(event: dict[str, Any], context: LambdaContext) -> None:
    deadline.start(context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS)
    report = hints.of_environment().process(event["Records"])
    for name, number in report.counts().items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)
    for lag in report.lags_ms:
        metrics.add_metric(name="HintLag", unit=MetricUnit.Milliseconds, value=lag)
