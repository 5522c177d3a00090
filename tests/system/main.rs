//! Stories of the whole system: cloud, edge and clients as real processes, with faults between them.

mod kills;
mod power_cut;
