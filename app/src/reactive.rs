//! Effects and memos of few kinds: for every closure that is given to Leptos itself, the compiler makes what runs it
//! anew, and every browser loads that.

use leptos::prelude::{Effect, Memo};

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
