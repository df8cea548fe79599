//! The reader that `READER` names. One program for all: each would be the whole server again.

#![no_main]

use std::sync::LazyLock;

static READER: LazyLock<String> = LazyLock::new(|| std::env::var("READER").expect("READER names a reader"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| server::fuzz::run(&READER, data));
