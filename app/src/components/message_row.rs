use super::{Actions, Avatar, Clock, Day, EachRow, Marked, MessageMenu, Reactions};
use crate::{
    mentions::may_name,
    model::{Message, MessageId, User},
    outbox::{Outbox, Status},
    reactive::memo,
    url, words,
};
use leptos::{html, prelude::*};
use std::sync::Arc;

/// A message in the timeline.
#[component]
pub fn MessageRow(
    /// Which.
    id: MessageId,
    /// All of them.
    rows: EachRow,
    /// What can be done in this room.
    actions: Actions,
    /// The page is about this message.
    highlight: bool,
    /// What its element's id begins with: a message may be in the timeline and in a thread.
    anchor: &'static str,
    /// Whatever stands below it is there already, and one reads there: it need not be laid out before it is near.
    #[prop(optional)]
    above: bool,
) -> impl IntoView {
    let row = rows.row(id);
    let message = memo(move || row.read().message.clone());
    let status = memo(move || row.read().status.clone());
    let opens_day = memo(move || row.read().opens_day);
    let opens_new = memo(move || row.read().opens_new);
    let opens_group = memo(move || row.read().opens_group);
    let done_with = memo(move || message.read().deleted || status.read().is_some());
    let author = message.with_untracked(|message| message.author.clone());
    let name = author.display_name.clone();
    let own = actions.owns(&author);
    // Whoever may call themselves what others are called is told from them.
    let alike = |user: &User| user.id != author.id && user.display_name.eq_ignore_ascii_case(&author.display_name);
    let namesake = actions.state().with_untracked(|state| state.members().iter().any(|member| alike(&member.user)));
    let note = match (author.guest, namesake) {
        (true, _) => "Guest".into(),
        (false, true) => format!("@{}", author.username),
        _ => String::new(),
    };
    let head = move || {
        let (author, note) = (author.clone(), note.clone());
        opens_group.get().then(|| {
            view! {
                <Avatar user=author.clone() />
                <span class="author" title=format!("@{}", author.username)>{author.display_name.clone()}</span>
                {(!note.is_empty()).then(|| view! { <span class="hint">{note}</span> })}
            }
        })
    };
    let signed_in = actions.me().is_some();
    view! {
        <li
            id=format!("{anchor}-{id}")
            class="row"
            class:opens-group=move || opens_group.get()
            class:own=own
            class:highlight=highlight
            class:above=above
            class:pinned=move || message.read().pinned
            class:unsent=move || status.read().is_some()
            class:refused=move || matches!(&*status.read(), Some(Status::Refused(_)))
            tabindex=highlight.then_some("-1")
            autofocus=highlight
        >
            {move || opens_day.get().map(|day| view! { <Day day /> })}
            {move || {
                opens_new
                    .get()
                    .then(|| {
                        view! {
                            <div class="new" id="new" role="separator">
                                <span>"New"</span>
                            </div>
                        }
                    })
            }}
            <article class="message" aria-label=format!("Message of {name}")>
                {head} <Stamp message actions />
                <div class="content">
                    <p class="pin">"Pinned"</p>
                    <Quote message actions />
                    <Body message actions />
                    <Reactions message actions />
                    <Replies message actions />
                    <Fate id status />
                </div>
                {move || (signed_in && !done_with.get()).then(|| view! { <MessageMenu message actions anchor /> })}
            </article>
        </li>
    }
}

#[component]
fn Stamp(message: Memo<Arc<Message>>, actions: Actions) -> impl IntoView {
    let sent_at = memo(move || message.read().sent_at);
    let href = message.with_untracked(|message| url::message(&actions.slug(), message.id));
    view! {
        <a class="stamp" href=href>
            {move || view! { <Clock at=sent_at.get() /> }}
        </a>
    }
}

#[component]
fn Body(message: Memo<Arc<Message>>, actions: Actions) -> impl IntoView {
    let me = actions.me();
    let shown = memo(move || {
        let message = message.read();
        (message.body.clone(), message.deleted, message.edited_at.is_some())
    });
    let deleted = memo(move || shown.read().1);
    let marked = move || {
        let (body, _, edited) = shown.get();
        // Who comes and goes changes only messages that name somebody.
        let people = if may_name(&body) { actions.people().get() } else { vec![] };
        Marked::whole(body, people, me.clone(), edited)
    };
    move || {
        if deleted.get() {
            view! { <p class="body gone">"This message was deleted."</p> }.into_any()
        } else {
            html::div().class("body").inner_html(marked.clone()).into_any()
        }
    }
}

/// The message that this one answers, if it does.
#[component]
fn Quote(message: Memo<Arc<Message>>, actions: Actions) -> impl IntoView {
    let original = message.with_untracked(|message| message.reply_to)?;
    let words = memo(move || {
        actions.state().with(|state| {
            state.message(original).map(|message| {
                let text = if message.deleted { "a deleted message".into() } else { message.body.clone() };
                (message.author.display_name.clone(), text)
            })
        })
    });
    Some(view! {
        <a class="quote" href=url::message(&actions.slug(), original)>
            {move || match words.get() {
                Some((name, text)) => {
                    view! {
                        <strong>{name}</strong>
                        " "
                        {html::span().inner_html(Marked::excerpt(text, 120))}
                    }
                        .into_any()
                }
                None => "An earlier message".into_any(),
            }}
        </a>
    })
}

/// What leads to the messages that answer this one, if there are any.
#[component]
fn Replies(message: Memo<Arc<Message>>, actions: Actions) -> impl IntoView {
    let href = message.with_untracked(|message| url::thread(&actions.slug(), message.id));
    move || {
        let count = message.read().replies;
        (count > 0).then(|| view! { <a class="replies" href=href.clone()>{words::replies(count)}</a> })
    }
}

/// What became of a message that the room has not shown yet.
#[component]
fn Fate(id: MessageId, status: Memo<Option<Status>>) -> impl IntoView {
    let outbox = use_context::<Outbox>();
    move || {
        let discard = move |_| {
            if let Some(outbox) = outbox {
                outbox.discard(id);
            }
        };
        let retry = move |_| {
            if let Some(outbox) = outbox {
                outbox.retry(id);
            }
        };
        match status.get()? {
            Status::Sent(_) => Some(view! { <p class="fate">"Sent"</p> }.into_any()),
            Status::Waiting | Status::Sending => Some(view! { <p class="fate">"Sending…"</p> }.into_any()),
            Status::Retrying => Some(
                view! {
                    <p class="fate">
                        "Not sent yet; trying again. " <button class="link" type="button" on:click=discard>
                            "Discard"
                        </button>
                    </p>
                }
                .into_any(),
            ),
            Status::Refused(reason) => Some(
                view! {
                    <p class="fate" role="alert">
                        <strong>"Not sent. "</strong>
                        {reason}
                        " "
                        <button class="link" type="button" on:click=retry>
                            "Retry"
                        </button>
                        " "
                        <button class="link" type="button" on:click=discard>
                            "Discard"
                        </button>
                    </p>
                }
                .into_any(),
            ),
        }
    }
}
