//! `edge-agent journal verify`
