use super::{Actions, GuestForm, JoinForm, Kept, Problem};
use crate::{model::Visibility, rcdata::textarea, session, url};
use leptos::prelude::*;

/// What stands in the composer's place where somebody does not write: not yet, or nobody does any more.
#[component]
pub fn JoinBar(
    /// What can be done in this room.
    actions: Actions,
    /// What an earlier try left behind: the session may have ended before it was sent.
    kept: Kept,
) -> impl IntoView {
    let room = actions.state().with_untracked(|state| state.room().clone());
    let (slug, name, archived) = (room.slug, room.name, room.archived);
    // Who sees a private room without being in it was, until a moment ago.
    let left = room.visibility == Visibility::Private && session::me().is_some();
    let words = match (archived, left) {
        (true, _) => "This room is archived: it can be read, and nothing new is said in it.",
        (_, true) => "You are not in this room any more. What was said later is not shown to you.",
        _ => "Members write here.",
    };
    let entry = if archived || left {
        view! { <a class="button" rel="external" href=url::directory("", false, None)>"Other rooms"</a> }.into_any()
    } else if session::me().is_some() {
        view! { <JoinForm room=slug name=name /> }.into_any()
    } else {
        let mut here = url::room(&slug);
        if !kept.draft.is_empty() {
            here = format!("{here}?draft={}", url::encode(&kept.draft));
        }
        view! {
            <GuestForm room=slug label="Join as a guest" />
            <a class="button" rel="external" href=url::login(&here)>"Sign in"</a>
        }
        .into_any()
    };
    view! {
        <div class="composer join" id="compose">
            <Problem text=actions.problem() />
            <p>{words}</p>
            {(!kept.draft.is_empty())
                .then(|| view! { <textarea readonly aria-label="Your text">{textarea(&kept.draft)}</textarea> })}
            <div class="actions">{entry}</div>
        </div>
    }
}
