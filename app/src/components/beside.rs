use super::{Actions, thread::Panel};
use crate::{
    model::MessageId,
    reactive::{effect, memo},
    state::RoomState,
    url,
};
use leptos::{prelude::*, task::spawn_local};

/// The thread beside a room, of the message that the address names. What reads and shows it is a chunk, fetched with the
/// first.
///
/// The first HTML has it whole. In the browser that markup stands as it is, its form a plain one, until the chunk has read
/// the thread and puts the same there anew.
pub fn beside(
    actions: Actions,
    thread: impl Fn() -> Option<MessageId> + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let state = actions.state();
    let read = memo(move || state.with(RoomState::thread_of) == thread());
    effect(move || {
        let Some(of) = thread().filter(|_| !read.get()) else { return };
        spawn_local(async move {
            match Panel::load().await {
                Ok(panel) => (panel.read)(actions, of),
                Err(_) => say_failed(actions),
            }
        });
    });
    move || {
        let of = thread()?;
        // What is read was read by the panel.
        Some(match read.get().then(Panel::at_hand).flatten() {
            Some(panel) => (panel.show)(actions, of),
            None => {
                let close = url::room(&actions.slug());
                let waiting = format!(
                    r#"<a class="button quiet" href="{close}">Close</a><p class="hint late">The thread is on its way…</p>"#
                );
                view! { <aside id="thread" class="thread" inner_html=waiting></aside> }.into_any()
            }
        })
    }
}

/// The thread could not be brought.
pub fn say_failed(actions: Actions) {
    let _ = actions.problem().try_set("The thread could not be read. Please try again.".into());
}
