//! Refused by every step. Replaces src/main.rs.
//! Nothing, successfully.

fn main() {}
