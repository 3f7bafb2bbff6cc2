"""The DynamoDB table: made, filled, read and dropped."""
