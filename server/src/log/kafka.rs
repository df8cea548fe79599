//! The log in a Kafka topic.
