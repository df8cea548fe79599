use super::Avatar;
use crate::{
    api::{SignOut, Theme},
    session, theme, url,
};
use leptos::{prelude::*, server_fn::ServerFn};

/// The name of the place, and the way to its front.
#[component]
pub fn Brand() -> impl IntoView {
    view! {
        <a class="brand" href="/">
            <svg viewBox="0 0 24 24" aria-hidden="true">
                <path d="M3 12h4l2.5-6 4.5 12 2.5-6h4.500" />
            </svg>
            "Partyline"
        </a>
    }
}

/// Who one is, and how the pages look.
#[component]
pub fn Account() -> impl IntoView {
    let here = leptos_router::hooks::use_location().pathname;
    let who = match session::me() {
        Some(me) => {
            let kind = match (me.admin, me.guest) {
                (true, _) => "Administrator",
                (_, true) => "Guest",
                _ => "Signed in",
            };
            let name = me.display_name.clone();
            view! {
                <div class="me">
                    <Avatar user=me />
                    <a rel="external" href="/me">
                        <strong data-testid="me">{name}</strong>
                        <span class="hint">{kind}</span>
                    </a>
                    <form method="post" action=SignOut::url()>
                        <button class="button quiet">"Sign out"</button>
                    </form>
                </div>
            }
            .into_any()
        }
        None => view! {
            <div class="me">
                <a class="button" rel="external" href=move || url::login(&here.get())>"Sign in"</a>
                <a class="button quiet" rel="external" href="/register">"Register"</a>
            </div>
        }
        .into_any(),
    };
    view! {
        <footer class="account">
            {who}
            <Themes />
        </footer>
    }
}

/// Light or dark pages, or as the system has it.
#[component]
fn Themes() -> impl IntoView {
    let here = leptos_router::hooks::use_location().pathname;
    let chosen = theme::chosen_theme().unwrap_or("system");
    let choice = move |value: &'static str, label: &'static str| {
        let pressed = (value == chosen).to_string();
        view! { <button name="choice" value=value aria-pressed=pressed>{label}</button> }
    };
    view! {
        <form method="post" action=Theme::url() class="themes" aria-label="Light or dark pages">
            <input type="hidden" name="next" value=move || here.get() />
            {choice("light", "Light")}
            {choice("dark", "Dark")}
            {choice("system", "System")}
        </form>
    }
}
