//! The staff page in a real browser: Chromium over `WebDriver`, at a branch with people, machines and readers.

mod driver;
mod gym;
mod looks;
mod page;
mod people;

pub use driver::{Driver, Element};
pub use gym::{Gym, MACHINES, READERS, obey, say};
pub use looks::{PHONE, Scheme, TABLET, Width};
pub use page::Browser;
pub use people::{ADAS_CARD, NASTY_NAME, PEOPLE, card_of, member_id};
