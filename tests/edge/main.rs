//! Tests of the edge agent from outside: a real process, real MQTT clients. One module per task.

mod bridge;
