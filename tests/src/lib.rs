//! The kit of the whole-system tests, of the demo and of the benchmarks: real processes, real clients, faults.
