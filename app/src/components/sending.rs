//! Sending files, and showing how far they are: what few messages need is a chunk of its own (feature `split`), fetched
//! with the first file.

use super::uploads::{State, Upload, Uploads};
use crate::{
    browser, json,
    markdown::NotLoaded,
    model::{FileAddress, Millis, Uploaded},
    reactive::memo,
    url, words,
};
use leptos::prelude::*;

/// A file that was uploaded so long ago may be gone before the message that names it is there.
const USABLE_MS: Millis = 20 * 60 * 60 * 1000;

/// What is in the chunk.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// Does what there is to be done next.
    pub go_on: fn(Uploads),
    /// Brings back what was there before a reload, as it was kept.
    pub restore: fn(Uploads, &str),
    /// What is on its way.
    pub list: fn(Uploads) -> AnyView,
}

const SENDING: Sending = Sending { go_on, restore, list };

#[cfg(not(feature = "split"))]
impl Sending {
    /// There is nothing to wait for.
    pub async fn load() -> Result<Self, NotLoaded> {
        Ok(SENDING)
    }
}

#[cfg(feature = "split")]
mod split {
    use super::*;
    use leptos::wasm_split::{self, wasm_split};

    impl Sending {
        /// Fetches the chunk if it is not there.
        pub async fn load() -> Result<Self, NotLoaded> {
            fetch().await
        }
    }

    /// What this refers to, and nothing else does, is cut out.
    #[wasm_split(sending, wasm_split_path = wasm_split, fallible)]
    #[allow(unsafe_code, reason = "names symbols for the tool that splits the file")]
    fn fetch() -> Result<Sending, NotLoaded> {
        Ok(SENDING)
    }
}

/// What the server says against it.
#[derive(serde::Deserialize)]
struct Problem {
    detail: String,
}

fn restore(uploads: Uploads, kept: &str) {
    let kept: Vec<Uploaded> = json::read(kept).unwrap_or_default();
    // An id begins with its time.
    let made_at = |file: &Uploaded| Millis::try_from(file.id.0.as_u128() >> 80).unwrap_or(0);
    let usable = kept.into_iter().filter(|file| browser::now() - made_at(file) < USABLE_MS);
    // Far from the numbers of those that are chosen now.
    let restored = usable.zip((0..u32::MAX).rev()).map(|(file, number)| Upload {
        number,
        name: file.name.clone(),
        state: State::Done(file),
    });
    let restored: Vec<_> = restored.collect();
    if !restored.is_empty() {
        uploads.all.update(|all| all.splice(0..0, restored).for_each(drop));
    }
}

/// One after the other: in their order, and no more of the line than one needs.
fn go_on(uploads: Uploads) {
    let next = uploads.all.with_untracked(|all| {
        let going = all.iter().any(|upload| matches!(upload.state, State::Going(_)));
        all.iter().find(|upload| !going && upload.state == State::Waiting).map(|u| (u.number, u.name.clone()))
    });
    if let Some((number, name)) = next {
        uploads.set(number, State::Going(0));
        let at = uploads.slug.with_value(|slug| format!("/api/v1/rooms/{}/files?name=", url::encode(slug)));
        browser::upload(
            number,
            &(at + &url::encode(&name)),
            move |hundredths| uploads.set(number, State::Going(hundredths)),
            move |status, text| answered(uploads, number, status, &text),
        );
    } else if !uploads.all.with_untracked(|all| all.iter().any(|u| matches!(u.state, State::Going(_)))) {
        uploads.held.set(false);
    }
}

fn answered(uploads: Uploads, number: u32, status: u16, text: &str) {
    if uploads.all.try_with_untracked(|_| ()).is_none() {
        return;
    }
    let state = match json::read(text) {
        Ok(uploaded) if status == 201 => State::Done(uploaded),
        _ => {
            let said = json::read::<Problem>(text).map(|problem| problem.detail);
            let reason = said.unwrap_or_else(|_| "the server was not reached".into());
            State::Failed { reason, again: status < 400 || status == 429 || status >= 500 }
        }
    };
    uploads.set(number, state);
    uploads.go_on();
}

fn list(uploads: Uploads) -> AnyView {
    let numbers = memo(move || uploads.all.read().iter().map(|upload| upload.number).collect::<Vec<_>>());
    view! {
        <ul class="uploads" aria-label="Files to send">
            <For each=move || numbers.get() key=|number| *number children=move |number| view! { <Row uploads number /> } />
        </ul>
    }
    .into_any()
}

#[component]
fn Row(uploads: Uploads, number: u32) -> impl IntoView {
    let state = memo(move || {
        let found = |all: &Vec<Upload>| all.iter().find(|u| u.number == number).map(|u| u.state.clone());
        uploads.all.with(found).unwrap_or(State::Waiting)
    });
    let name = uploads.all.with_untracked(|all| all.iter().find(|u| u.number == number).map(|u| u.name.clone()));
    let name = name.unwrap_or_default();
    let again = move |_| {
        uploads.set(number, State::Waiting);
        uploads.go_on();
    };
    let described = name.clone();
    view! {
        <li class="upload" class:failed=move || matches!(&*state.read(), State::Failed { .. })>
            {move || picture(&state.read())} <span class="name" title=name.clone()>{name.clone()}</span>
            {move || match state.get() {
                State::Waiting => view! { <span class="hint">"Waiting"</span> }.into_any(),
                State::Going(hundredths) => {
                    view! { <progress max="100" value=hundredths.to_string() aria-label="Uploaded"></progress> }.into_any()
                }
                State::Done(file) => view! { <span class="hint">{words::size(file.bytes)}</span> }.into_any(),
                State::Failed { reason, again: may } => {
                    view! {
                        <span class="why" role="alert">{words::sentence(&reason)}</span>
                        {may.then(|| view! { <button class="link" type="button" on:click=again>"Retry"</button> })}
                    }
                        .into_any()
                }
            }}
            <button
                class="remove"
                type="button"
                aria-label=format!("Remove {described}")
                on:click=move |_| uploads.remove(number)
            >
                "×"
            </button>
        </li>
    }
}

/// What a picture looks like once it is there.
fn picture(state: &State) -> Option<impl IntoView + use<>> {
    let State::Done(file) = state else { return None };
    file.url.parse::<FileAddress>().ok()?.size?;
    Some(view! { <img src=file.url.clone() alt="" width="32" height="32" /> })
}
