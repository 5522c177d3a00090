//! What the page of a branch's staff and the operators' page of the cloud share: style sheet and scripts, charts, times in
//! words, the headers around every page, and how a form proves that it is our own.

pub mod assets;
pub mod chart;
pub mod form;
pub mod policy;
pub mod times;
pub mod told;
