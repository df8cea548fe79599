use leptos::prelude::*;

/// What went wrong with a form, next to it.
#[component]
pub fn Problem(
    /// In words; nothing is shown while empty.
    #[prop(into)]
    text: Signal<String>,
) -> impl IntoView {
    move || {
        let text = text.get();
        (!text.is_empty()).then(|| view! { <p class="problem" role="alert">{text}</p> })
    }
}

/// A labelled line of text in a form. The value belongs to the DOM: it is read when the form is sent.
#[component]
pub fn Field(
    /// What people see.
    label: &'static str,
    /// What the server sees; also the element's id.
    name: &'static str,
    /// The input's type.
    #[prop(default = "text")]
    kind: &'static str,
    /// What it holds at first.
    #[prop(into, optional)]
    value: String,
    /// What browsers and password managers fill in.
    #[prop(optional)]
    autocomplete: Option<&'static str>,
    /// May stay empty.
    #[prop(optional)]
    optional: bool,
    /// Fewest characters.
    #[prop(optional)]
    minlength: Option<usize>,
    /// Most characters.
    #[prop(optional)]
    maxlength: Option<usize>,
    /// A hint below.
    #[prop(optional)]
    hint: Option<&'static str>,
    /// The cursor is here at first.
    #[prop(optional)]
    autofocus: bool,
) -> impl IntoView {
    let hint_id = format!("{name}-hint");
    let described_by = hint.map(|_| hint_id.clone());
    let raw = matches!(name, "username" | "password");
    view! {
        <div class="field">
            <label for=name>
                {label} {optional.then(|| view! { <span class="optional">" optional"</span> })}
            </label>
            <input
                id=name
                name=name
                type=kind
                value=value
                autocomplete=autocomplete
                required=!optional
                minlength=minlength
                maxlength=maxlength
                aria-describedby=described_by
                autofocus=autofocus
                autocapitalize=raw.then_some("none")
                spellcheck=raw.then_some("false")
            />
            {hint.map(|hint| view! { <p class="hint" id=hint_id>{hint}</p> })}
        </div>
    }
}
