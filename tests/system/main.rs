//! Stories of the whole system: cloud, edge and clients as real processes, with faults between them.

mod clock;
mod demo;
mod desk;
mod doors;
mod edge_keys;
mod edge_orders;
mod floor;
mod hardware;
mod kills;
mod machines;
mod month;
mod outage;
mod power_cut;
mod read_only;
mod refold;
mod set_up;
mod small_disk;
mod two_branches;
mod units;
mod uplink;
