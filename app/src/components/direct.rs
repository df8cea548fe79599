use super::{Field, Problem};
use crate::{api::Direct as DirectCall, url::Query, words};
use leptos::{prelude::*, server_fn::ServerFn};

/// The form that begins a direct conversation with somebody.
#[component]
pub fn Direct() -> impl IntoView {
    let query = Query::of_page();
    let came_back = query.get("form") == Some("direct");
    let kept = |name: &str| if came_back { query.text(name) } else { String::new() };
    let (name, error) = (kept("name"), kept("error"));
    let problem = match &*error {
        "" => String::new(),
        "not_found" => "Nobody here has that user name.".into(),
        "invalid" => "Please give the user name of somebody else, as it stands behind the @.".into(),
        "forbidden" => "Guests have no direct conversations: they have to register first.".into(),
        other => words::explain(other).into(),
    };
    view! {
        <form id="direct" class="card form" method="post" action=DirectCall::url()>
            <h2>"Direct message"</h2>
            <Problem text=problem />
            <Field label="User name" name="person" value=name maxlength=40 autocomplete="off" />
            <button class="button primary">"Open the conversation"</button>
        </form>
    }
}
