//! Tests of the cloud: its router in this process over a database of each test's own. One module per domain.

mod login;
