//! What stands behind a bridge, in the whole system: cards at a door and a board in a machine, while the line is
//! disturbed and programs hang or are killed.

mod hall;
mod once;
mod orders;
mod people;
mod serial_line;
mod taps;
