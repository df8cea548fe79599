use super::uploads::{State, Upload, Uploads};
use crate::{browser, model::FileAddress, url, words};
use leptos::{html, prelude::*};

/// What is on its way, above the text.
#[component]
pub fn UploadList(
    /// Which.
    uploads: Uploads,
) -> impl IntoView {
    let numbers = Memo::new(move |_| uploads.all.read().iter().map(|upload| upload.number).collect::<Vec<_>>());
    view! {
        <ul class="uploads" hidden=move || uploads.is_empty() aria-label="Files to send">
            <For each=move || numbers.get() key=|number| *number children=move |number| view! { <Row uploads number /> } />
        </ul>
        <p class="held" role="status">
            {move || uploads.held.get().then_some("Is sent as soon as the files are there.")}
        </p>
    }
}

#[component]
fn Row(uploads: Uploads, number: u32) -> impl IntoView {
    let state = Memo::new(move |_| {
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

/// The button that files are chosen with. Only where there is a script.
#[component]
pub fn Attach(
    /// Where they go.
    uploads: Uploads,
) -> impl IntoView {
    let field = NodeRef::<html::Input>::new();
    let take = move || {
        if let Some(field) = field.get_untracked() {
            uploads.add(browser::chosen(&field));
        }
    };
    // Somebody may have been quicker than the script.
    Effect::new(move || {
        field.track();
        take();
    });
    view! {
        <label class="attach" title="Add files">
            <svg viewBox="0 0 24 24" aria-hidden="true">
                <path d="M20 11.5l-8.2 8.2a5 5 0 0 1-7.1-7.1l8.5-8.4a3.3 3.3 0 0 1 4.7 4.700l-8.500 8.400a1.700 1.700 0 0 1-2.400-2.400l7.800-7.700" />
            </svg>
            <input node_ref=field type="file" multiple aria-label="Add files" on:change=move |_| take() />
        </label>
    }
}

/// The same where there is no script: one file, sent with the text at once.
#[component]
pub fn PlainAttach(
    /// The room's.
    slug: String,
) -> impl IntoView {
    view! {
        <details class="attach-plain">
            <summary>"Add a file"</summary>
            <input type="file" name="file" aria-label="File" />
            <button
                class="button"
                formmethod="post"
                formenctype="multipart/form-data"
                formaction=format!("{}/files", url::room(&slug))
                formnovalidate
            >
                "Send with file"
            </button>
        </details>
    }
}
