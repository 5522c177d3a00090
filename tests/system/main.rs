//! Stories of the whole system: cloud, edge and clients as real processes, with faults between them.

mod clock;
mod demo;
mod kills;
mod outage;
mod power_cut;
mod read_only;
mod small_disk;
mod uplink;
