use super::{Actions, GuestForm, JoinForm, Kept, Problem};
use crate::{rcdata::textarea, session, url};
use leptos::prelude::*;

/// What stands in the composer's place where somebody does not write: not yet, or nobody does any more.
#[component]
pub fn JoinBar(
    /// What can be done in this room.
    actions: Actions,
    /// What an earlier try left behind: the session may have ended before it was sent.
    kept: Kept,
) -> impl IntoView {
    let (slug, name) = actions.state().with_untracked(|state| (state.room().slug.clone(), state.room().name.clone()));
    let archived = untrack(|| actions.archived());
    let entry = if archived {
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
            <p>{if archived { "This room is archived: it can be read, and nothing new is said in it." } else { "Members write here." }}</p>
            {(!kept.draft.is_empty())
                .then(|| view! { <textarea readonly aria-label="Your text">{textarea(&kept.draft)}</textarea> })}
            <div class="actions">{entry}</div>
        </div>
    }
}
