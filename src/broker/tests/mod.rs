//! The broker as its connections see it, over stores that take their time.

mod client;
mod eras;
mod lagging;
mod on_redis;
mod placing;
mod presence;
mod simulation;
mod slow_reader;
mod truth;
