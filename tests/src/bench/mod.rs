//! The measurements of `make bench`, each beside its peer or limit in the same run.

pub mod flood;
pub mod mosquitto;
pub mod table;
