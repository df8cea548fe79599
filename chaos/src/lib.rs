//! Chaos: real parts broken on purpose, and a judge who sees what became of the
//! promises.
//!
//! [`client`]s write and watch like real ones; each thing that they do, are told
//! and are shown goes to the [`history`], a file. The [`oracle`] reads the file
//! afterwards. It knows nothing of the program but what its clients saw, so it
//! cannot make the program's mistakes. [`proxy`] stands between the parts and
//! cuts, delays and swallows.

pub mod client;
pub mod crash;
pub mod fault;
pub mod history;
pub mod load;
pub mod oracle;
pub mod position;
pub mod proxy;
pub mod report;
mod resp;
pub mod run;
pub mod stage;
pub mod storm;
