//! A block that decodes has a matching summary, and its samples survive another round trip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::machine::columns;

fuzz_target!(|block: &[u8]| {
    let decoded = columns::decode(block);
    let summary = columns::summary(block);
    assert_eq!(decoded.is_ok(), summary.is_ok());
    if let (Ok(samples), Ok(summary)) = (decoded, summary) {
        assert_eq!(samples.len(), summary.count as usize);
        assert_eq!(columns::decode(&columns::encode(&samples)), Ok(samples));
    }
});
