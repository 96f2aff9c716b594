//! Files over HTTP: whole, in ranges, and cut on the fly.
#![cfg_attr(not(test), expect(dead_code, reason = "the library of films is not there yet"))]

mod answer;
mod body;
mod conditions;
mod disk;
mod plan;
mod range;
#[cfg(test)]
mod tests;
