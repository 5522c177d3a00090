//! Places where a test lets the power fail. Never in what a gym runs.

/// Dies here like by `kill -9`, if `GYMWIRE_TEST_DIE_AT` names this place.
#[cfg(feature = "test-faults")]
pub fn point(name: &str) {
    use rustix::process::{Signal, getpid, kill_process};
    if std::env::var("GYMWIRE_TEST_DIE_AT").is_ok_and(|wanted| wanted == name) {
        let _ = kill_process(getpid(), Signal::KILL);
    }
}

/// Nothing.
#[cfg(not(feature = "test-faults"))]
pub fn point(_: &str) {}
