use crate::{browser, model::Millis, reactive::effect, when};
use leptos::prelude::*;

/// Whether the browser has taken over. Until then both sides must render the same, in UTC.
#[derive(Clone, Copy)]
pub struct Hydrated(RwSignal<bool>);

impl Hydrated {
    /// Puts it into the context of all pages.
    pub fn provide() {
        let hydrated = Self(RwSignal::new(false));
        // Once, when everything has been rendered as the server did: the one signal that only an effect can write.
        effect(move || hydrated.0.set(true));
        provide_context(hydrated);
    }

    /// Reads it.
    pub fn signal() -> Signal<bool> {
        use_context::<Self>().map(|hydrated| hydrated.0.into()).unwrap_or_default()
    }
}

/// A time of day, where the reader is.
#[component]
pub fn Clock(
    /// When.
    at: Millis,
) -> impl IntoView {
    let hydrated = Hydrated::signal();
    let title = move || if hydrated.get() { browser::day_and_time(at) } else { when::iso(at) };
    view! {
        <time datetime=when::iso(at) title=title>
            {move || if hydrated.get() { browser::time(at) } else { when::utc_time(at) }}
        </time>
    }
}

/// The line where a day begins.
#[component]
pub fn Day(
    /// Counted from 1970-01-01.
    day: i64,
) -> impl IntoView {
    let hydrated = Hydrated::signal();
    view! {
        <div class="day" role="separator">
            <span>{move || if hydrated.get() { browser::day_name(day) } else { when::day_name(day) }}</span>
        </div>
    }
}
