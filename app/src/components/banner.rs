use crate::{
    live::{Link, Live},
    protocol::Status,
    reactive::memo,
    url,
};
use leptos::prelude::*;

/// Says that the connection is gone, since when it matters, or what does not work, and what happens next.
#[component]
pub fn Banner() -> impl IntoView {
    let live = use_context::<Live>();
    let link = memo(move || live.map_or(Link::Connecting, |live| live.link().get()));
    let status = memo(move || live.map_or(Status::WELL, |live| live.status().get()));
    let here = leptos_router::hooks::use_location().pathname;
    // The region is always there: a screen reader speaks of what changes in it.
    view! {
        <div class="banner-region" role="status">
            {move || match link.get() {
                Link::Connecting => None,
                Link::Online => {
                    let (what, then) = troubles(status.get())?;
                    Some(view! { <div class="banner"><p><strong>{what}</strong>" "{then}</p></div> }.into_any())
                }
                Link::Lost { retry_in_s } => {
                    Some(
                        view! {
                            <div class="banner">
                                <p>
                                    <strong>"No connection."</strong>
                                    " What you write is kept and sent later. "
                                    <span class="countdown" aria-live="off">
                                        {if retry_in_s == 0 {
                                            "Trying now…".to_owned()
                                        } else {
                                            format!("Next try in {retry_in_s} s.")
                                        }}
                                    </span>
                                </p>
                                <button
                                    type="button"
                                    class="button quiet"
                                    on:click=move |_| {
                                        if let Some(live) = live {
                                            live.retry();
                                        }
                                    }
                                >
                                    "Retry"
                                </button>
                            </div>
                        }
                            .into_any(),
                    )
                }
                Link::Ended => {
                    Some(
                        view! {
                            <div class="banner">
                                <p>
                                    <strong>"Your session has ended."</strong>
                                    " What you wrote is kept in this browser."
                                </p>
                                <a class="button" rel="external" href=move || url::login(&here.get())>
                                    "Sign in"
                                </a>
                            </div>
                        }
                            .into_any(),
                    )
                }
            }}
        </div>
    }
}

/// What does not work, and what that means for whoever writes.
fn troubles(status: Status) -> Option<(&'static str, &'static str)> {
    match (status.posting, status.history) {
        (true, true) => None,
        (true, false) => Some(("Older messages cannot be read just now.", "New ones arrive, and none is lost.")),
        (false, true) => Some(("Messages cannot be sent just now.", "What you write is kept and sent later.")),
        (false, false) => Some((
            "Messages can neither be sent nor read back just now.",
            "What you write is kept and sent later; nothing is lost.",
        )),
    }
}
