//! Effects and memos of few kinds: for every closure that is given to Leptos itself, the compiler makes what runs it
//! anew, and every browser loads that.

use leptos::prelude::{ArcRwSignal, Effect, Memo, Read, Write};
use std::{
    ops::{Deref, DerefMut},
    thread::yield_now,
};

/// Runs in the browser, now and whenever what it reads changes. See [`Effect`].
pub fn effect(run: impl FnMut() + 'static) {
    let run: Box<dyn FnMut()> = Box::new(run);
    Effect::new(run);
}

/// A value that is found from others; who reads it hears when it is another. See [`Memo`].
pub fn memo<T: PartialEq + Send + Sync + 'static>(find: impl Fn() -> T + Send + Sync + 'static) -> Memo<T> {
    let find: Box<dyn Fn() -> T + Send + Sync> = Box::new(find);
    Memo::new(move |_| find())
}

/// How often a value is asked for that another thread is writing. That takes it microseconds.
const TRIES: u32 = 1_000_000;

/// Reads what another part of the page may be writing at this moment, and hears of changes. On the server the parts are
/// made at once, by several threads, and a signal that one of them has in its hands is to the others as if it were gone.
pub fn read<T: Send + Sync + 'static>(signal: &ArcRwSignal<T>) -> impl Deref<Target = T> {
    patiently(|| signal.try_read()).expect("what is written is given back")
}

/// Writes what other parts of the page may be reading at this moment.
pub fn write<T: Send + Sync + 'static>(signal: &ArcRwSignal<T>) -> impl DerefMut<Target = T> {
    patiently(|| signal.try_write()).expect("what is written is given back")
}

fn patiently<T>(ask: impl Fn() -> Option<T>) -> Option<T> {
    (0..TRIES).find_map(|_| {
        ask().or_else(|| {
            yield_now();
            None
        })
    })
}
