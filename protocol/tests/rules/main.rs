//! The rule book: stays, machines, queues, attribution, and that the order of arrival makes no difference.

mod kit;
mod machines;
mod model;
mod queues;
mod sessions;
