use crate::{
    api::{self, AcceptInvite, InvitationData},
    components::{Avatar, Brand, GuestForm, Problem},
    error::ApiError,
    session,
    url::{self, Query},
    when, words,
};
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

/// Where a link into a room leads, and the way in.
#[component]
pub fn InvitePage() -> impl IntoView {
    let secret = use_params_map().read_untracked().get("secret").unwrap_or_default();
    let asked = secret.clone();
    let view = Resource::new_blocking(move || asked.clone(), api::invitation);
    view! {
        <Transition>
            {move || {
                let secret = secret.clone();
                Suspend::new(async move {
                    match view.await {
                        Ok(data) => view! { <Invitation data secret /> }.into_any(),
                        Err(ApiError::NotFound) => view! { <Gone /> }.into_any(),
                        Err(error) => {
                            view! {
                                <Title text="Not now" />
                                <main id="main" class="entry" tabindex="-1">
                                    <Brand />
                                    <Problem text=words::sentence(&error.to_string()) />
                                </main>
                            }
                                .into_any()
                        }
                    }
                })
            }}
        </Transition>
    }
}

#[component]
fn Invitation(data: InvitationData, secret: String) -> impl IntoView {
    let InvitationData { room, by, expires_at } = data;
    let query = Query::of_page();
    let problem = query.get("error").map(words::explain_invite).unwrap_or_default();
    let here = url::invite(&secret);
    let members = if room.members == 1 { "1 member".to_owned() } else { format!("{} members", room.members) };
    let until = when::utc_day(expires_at);
    let way_in = match (session::me(), room.role) {
        (_, Some(_)) => view! {
            <p class="hint">"You are in this room already."</p>
            <a class="button primary" rel="external" href=url::room(&room.slug)>
                {format!("Open #{}", room.name)}
            </a>
        }
        .into_any(),
        _ if room.archived => {
            view! { <p class="note">"This room is archived: nobody comes in any more."</p> }.into_any()
        }
        (Some(me), None) => view! {
            <form method="post" action=AcceptInvite::url()>
                <input type="hidden" name="secret" value=secret />
                <button class="button primary">{format!("Join #{}", room.name)}</button>
            </form>
            <p class="hint">{format!("You are signed in as {}.", me.display_name)}</p>
        }
        .into_any(),
        (None, None) => {
            let register = format!("/register?next={}", url::encode(&here));
            view! {
                <GuestForm next=here.clone() />
                <a class="button" rel="external" href=register>"Register"</a>
                <a class="button" rel="external" href=url::login(&here)>"Sign in"</a>
                <p class="hint">"A guest needs no password. You come back here to join."</p>
            }
            .into_any()
        }
    };
    view! {
        <Title text="Invitation" />
        <main id="main" class="entry" tabindex="-1">
            <Brand />
            <section class="card form invitation">
                <p class="inviter">
                    <Avatar user=by.clone() />
                    <span>
                        <strong title=format!("@{}", by.username)>{by.display_name}</strong>
                        " invites you to"
                    </span>
                </p>
                <h1>
                    <span class="sigil" aria-hidden="true">"#"</span>
                    {room.name.clone()}
                </h1>
                {(!room.topic.is_empty()).then(|| view! { <p>{room.topic.clone()}</p> })}
                <p class="hint">{members} ". The link is good until " {until} "."</p>
                <Problem text=problem />
                {way_in}
            </section>
        </main>
    }
}

/// Never there, used up, taken back, too old: which of them is nobody's business.
#[component]
fn Gone() -> impl IntoView {
    #[cfg(feature = "ssr")]
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(http::StatusCode::NOT_FOUND);
    }
    view! {
        <Title text="Invitation" />
        <main id="main" class="entry" tabindex="-1">
            <Brand />
            <h1>"This invitation is no longer good"</h1>
            <p>"It is too old, or used up, or was taken back. Ask whoever sent it to you for another."</p>
            <a class="button primary" rel="external" href="/rooms">"See open rooms"</a>
        </main>
    }
}
