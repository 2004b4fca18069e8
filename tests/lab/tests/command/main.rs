//! The `lab` command, run on a small kit of its own: three labs, of which only the first can be built.

mod build;
mod doctor;
mod hints;
mod judge;
mod kit;
mod overview;
mod usage;
