use super::Actions;
use crate::{
    api::React,
    model::{Message, MessageId},
    reactive::memo,
};
use leptos::{prelude::*, server_fn::ServerFn};
use std::sync::Arc;

/// The emoji under a message; one's own can be taken back, others' joined.
#[component]
pub fn Reactions(
    /// The message.
    message: Memo<Arc<Message>>,
    /// What can be done in this room.
    actions: Actions,
) -> impl IntoView {
    let emoji = move || message.read().reactions.iter().map(|reaction| reaction.emoji.clone()).collect::<Vec<_>>();
    let id = message.with_untracked(|message| message.id);
    view! {
        <Show when=move || !message.read().reactions.is_empty()>
            <ul class="reactions" aria-label="Reactions">
                <For each=emoji key=Clone::clone let:emoji>
                    <Chip message emoji id actions />
                </For>
            </ul>
        </Show>
    }
}

#[component]
fn Chip(message: Memo<Arc<Message>>, emoji: String, id: MessageId, actions: Actions) -> impl IntoView {
    let users = {
        let emoji = emoji.clone();
        memo(move || {
            let message = message.read();
            let reaction = message.reactions.iter().find(|reaction| reaction.emoji == emoji);
            reaction.map(|reaction| reaction.users.clone()).unwrap_or_default()
        })
    };
    let own = memo(move || actions.me().is_some_and(|me| users.read().contains(&me)));
    let label = {
        let emoji = emoji.clone();
        move || format!("{emoji} {}", users.read().join(", "))
    };
    let on_click = {
        let emoji = emoji.clone();
        move |event: leptos::ev::MouseEvent| {
            event.prevent_default();
            actions.react(id, emoji.clone(), !own.get_untracked());
        }
    };
    view! {
        <li>
            <form method="post" action=React::url()>
                <input type="hidden" name="room" value=actions.slug() />
                <input type="hidden" name="id" value=id.to_string() />
                <input type="hidden" name="on" value=move || (!own.get()).to_string() />
                <button
                    class="chip"
                    name="emoji"
                    value=emoji.clone()
                    title=move || users.read().join(", ")
                    aria-label=label
                    aria-pressed=move || own.get().to_string()
                    disabled=!actions.may_write()
                    on:click=on_click
                >
                    <span aria-hidden="true">{emoji.clone()}</span>
                    <span class="count" aria-hidden="true">{move || users.read().len()}</span>
                </button>
            </form>
        </li>
    }
}
