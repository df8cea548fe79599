use crate::model::User;
use leptos::prelude::*;

/// A person's initial on a colour of their own. Decoration: the name stands beside it.
#[component]
pub fn Avatar(
    /// Whose.
    user: User,
) -> impl IntoView {
    // The style sheet has twelve hues; the policy forbids any more in the page itself.
    let hue = user.id.0.as_bytes().iter().map(|byte| u32::from(*byte)).sum::<u32>() % 12;
    let initial = user.display_name.chars().next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    view! {
        <span class=format!("avatar hue-{hue}") aria-hidden="true">
            {initial}
        </span>
    }
}
