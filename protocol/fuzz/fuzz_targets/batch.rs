//! Batches, events and live states: what decodes encodes to something that decodes to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::sync::batch::Batch;
use protocol::sync::entry::Event;
use protocol::sync::state::LiveState;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(batch) = Batch::decode(bytes) {
        assert_eq!(Batch::decode(&batch.encode(1)), Ok(batch));
    }
    if let Ok(event) = Event::decode(bytes) {
        assert_eq!(Event::decode(&event.encode()), Ok(event));
    }
    if let Ok(state) = LiveState::decode(bytes) {
        assert_eq!(LiveState::decode(&state.encode()), Ok(state));
    }
});
