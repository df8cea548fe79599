use crate::model::Visibility;
use leptos::prelude::*;

/// Who may see a room, to be chosen in a form, as its field `visibility`.
#[component]
pub fn VisibilityChoices(
    /// What can be chosen: how it is called, and what it means.
    choices: [(Visibility, &'static str, &'static str); 3],
    /// What is chosen at first.
    chosen: Visibility,
) -> impl IntoView {
    view! {
        <fieldset class="choices">
            <legend>"Who may see it"</legend>
            {choices
                .map(|(value, label, hint)| {
                    view! {
                        <label class="choice">
                            <input type="radio" name="visibility" value=value.as_str() checked=value == chosen />
                            <span>
                                <strong>{label}</strong>
                                <span class="hint">{hint}</span>
                            </span>
                        </label>
                    }
                })
                .collect_view()}
        </fieldset>
    }
}
