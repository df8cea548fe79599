use super::uploads::Uploads;
use crate::{browser, reactive::effect, url};
use leptos::{html, prelude::*};

/// What is on its way, above the text.
#[component]
pub fn UploadList(
    /// Which.
    uploads: Uploads,
) -> impl IntoView {
    view! {
        {move || (!uploads.is_empty()).then(|| uploads.sending.get().map(|sending| (sending.list)(uploads)))}
        <p class="held" role="status">
            {move || uploads.held.get().then_some("Is sent as soon as the files are there.")}
        </p>
    }
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
    effect(move || {
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
