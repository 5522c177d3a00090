//! The pages in a real browser: Chromium over `WebDriver`, at a branch with people, machines and readers, or at the cloud.

mod chain;
mod driver;
mod gym;
mod looks;
mod page;
mod people;

pub use chain::{CHAIN_MACHINES, Chain};
pub use driver::{Driver, Element};
pub use gym::{Gym, MACHINES, READERS, obey, say};
pub use looks::{PHONE, Scheme, TABLET, Width};
pub use page::Browser;
pub use people::{ADAS_CARD, NASTY_NAME, PEOPLE, card_of, member_id};
